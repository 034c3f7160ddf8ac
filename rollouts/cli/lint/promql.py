"""What can be told of PromQL without a server: brackets and quotes that do not close, and failures alone."""

import re
from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.spec import RolloutSpec

_FAILURES = re.compile(
    r"\b\w*(status|code|class)\w*\s*=~?\s*[\"'][^\"']*\b5(\.\.|xx|\.[*+]|\d\d|\[0-9\]|\\\\?d)",
    re.IGNORECASE,
)
"""A label of statuses, and a value that takes those from 500 on."""
_ZERO = re.compile(r"\bor\b.*\bvector\s*\(", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>\#[^\n]*)|(?P<mark>["'`(){}\[\]])""",
    re.DOTALL,
)
_OPENS = {")": "(", "]": "[", "}": "{"}


def query_findings(spec: RolloutSpec) -> Iterator[Finding]:
    """Yield what is found in the queries of an accepted spec."""
    for index, one in enumerate(spec.success_criteria):
        query, field = one.query, f"spec.successCriteria[{index}].query.promql"
        if query is None:
            continue
        fault = unclosed(query.promql)
        if fault:
            yield Finding("error", "", f"{fault}; Prometheus would refuse the query", field)
        elif _FAILURES.search(query.promql) and not _ZERO.search(query.promql):
            text = (
                "finds no series before the first failure, and a release waits for one;"
                " put `(… or vector(0))` around the failures, if none means zero"
            )
            yield Finding("note", "", text, field)


def unclosed(promql: str) -> str:
    """Return which bracket or quote has no counterpart, counted in characters from 1; empty when all have."""
    opened: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(promql):
        mark, place = token["mark"], token.start() + 1
        if mark is None:
            continue
        if mark in "\"'`":
            return f"the text that begins at character {place} is never closed"
        if mark not in _OPENS:
            opened.append((mark, place))
        elif opened and opened[-1][0] == _OPENS[mark]:
            opened.pop()
        else:
            still = f": {opened[-1][0]} at character {opened[-1][1]} is open" if opened else ""
            return f"the {mark} at character {place} closes nothing{still}"
    return f"the {opened[-1][0]} at character {opened[-1][1]} is never closed" if opened else ""
