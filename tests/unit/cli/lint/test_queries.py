"""What `rollouts lint` says of a criterion's PromQL."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Ran
from tests.unit.cli.lint.test_files import of_criteria

Run = Callable[..., Ran]


@pytest.mark.parametrize(
    ("promql", "noted"),
    [
        ('sum(rate(x{code=~"5.."}[1m])) / sum(rate(x[1m]))', True),
        ("sum(rate(x{status='500'}[1m]))", True),
        ('sum(rate(x_bucket{le="500"}[1m])) / sum(rate(x_count[1m]))', False),
        ('sum(rate(x{pod=~"web-7d5588c-.*",namespace="shop-512"}[1m]))', False),
        ('sum(rate(x{code!~"5.."}[1m])) / sum(rate(x[1m]))', False),
        ('sum(rate(x{http_response_status_code=~"5.*"}[1m])) / sum(rate(x[1m]))', True),
        ('(sum(rate(x{code=~"5.."}[1m])) or vector(0)) / sum(rate(x[1m]))', False),
        ('sum(rate(x{code!~"5.."}[1m]))', False),
        ("sum(rate(sales[1m]))", False),
    ],
)
def test_a_query_of_failures_alone_finds_nothing_before_the_first(
    rollouts: Run, tmp_path: Path, promql: str, noted: bool
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(of_criteria(f"{{name: q, query: {{promql: {json.dumps(promql)}, max: 1}}}}"))
    assert ("or vector(0)" in rollouts("lint", file).out) is noted


@pytest.mark.parametrize(
    ("promql", "said"),
    [
        ("sum(rate(x[1m])", "the ( at character 4 is never closed"),
        ("sum(rate(x[1m))", "the ) at character 14 closes nothing: [ at character 11 is open"),
        ("rate(x[1m]))", "the ) at character 12 closes nothing"),
        ('x{a="b}', "the text that begins at character 5 is never closed"),
        (r"""x{a="b\"", c='}', d=`)\`}""", None),
        ("x # (", None),
    ],
)
def test_brackets_and_quotes_that_do_not_close_are_errors(
    rollouts: Run, tmp_path: Path, promql: str, said: str | None
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(of_criteria(f"{{name: q, query: {{promql: {json.dumps(promql)}, max: 1}}}}"))
    ran = rollouts("lint", file)
    assert ran.code == (1 if said else 0)
    assert (said or "no errors") in ran.out
