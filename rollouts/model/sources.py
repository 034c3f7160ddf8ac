"""Where the counts of a criterion come from, and what no source could ever answer."""

import re
from collections.abc import Iterator

from rollouts.errors import FieldError
from rollouts.model.criteria import Criterion, Source
from rollouts.model.routers.spec import RouterSpec
from rollouts.model.spec import RolloutSpec
from rollouts.model.traffic_routing import TrafficRouting

PROMQL_VARIABLES = frozenset(
    ["rollout", "namespace"]
    + [f"{arm}.{what}" for arm in ("canary", "stable") for what in ("hash", "revision", "service")]
)
VARIABLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def source_of(spec: RolloutSpec, criterion: Criterion | None = None) -> Source:
    """
    Return where a criterion's counts come from; without one, those of the traffic as a whole.

    By default the ingress where all of the weighted traffic passes it: one that is the only router.
    Beside another it sees a part, and of other strategies nothing: the app itself sees all.
    """
    if criterion is not None and criterion.source is not None:
        return criterion.source
    is_seen_whole = len(spec.routers) == 1 and spec.routers[0].counts_requests
    return "ingress" if is_seen_whole else "app"


def is_counted_by_router(spec: RolloutSpec, criterion: Criterion | None = None) -> bool:
    """Return whether a router's data plane counts, and not the app itself."""
    return source_of(spec, criterion) == "ingress"


def source_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    """Yield what is wrong with the sources of the criteria, and with the variables of queries."""
    for index, criterion in enumerate(spec.success_criteria):
        where = f"spec.successCriteria[{index}]"
        if criterion.query is not None:
            for name in VARIABLE.findall(criterion.query.promql):
                wrong = _variable(spec, name)
                if wrong:
                    yield FieldError(f"{where}.query.promql", wrong)
            continue
        if criterion.error_rate is not None and criterion.error_rate.max_ratio_to_stable:
            wrong = _not_comparable(spec, criterion)
            if wrong:
                yield FieldError(f"{where}.errorRate.maxRatioToStable", wrong)
        if criterion.source == "ingress" and not any(_counting(spec)):
            counting = " or ".join(
                each.field for each in TrafficRouting.known() if each.counts_requests
            )
            yield FieldError(
                f"{where}.source",
                f"source ingress needs the router {counting}, whose counters tell the canary from"
                " stable; use app, the pods' own metrics",
            )


def _counting(spec: RolloutSpec) -> Iterator[RouterSpec]:
    """Yield the routers that are named whose counters tell the canary's requests from stable's."""
    return (each for each in spec.routers if each.counts_requests)


def _not_comparable(spec: RolloutSpec, criterion: Criterion) -> str:
    """Return why the canary's users are not a random part of all, counted at the same moments."""
    if not is_counted_by_router(spec, criterion):
        return (
            "needs source ingress, which counts both sides in one scrape: what pods count is read at"
            " different moments, and a burst that both have would seem to be one side's; use max"
        )
    counting = list(_counting(spec))
    if not counting:
        return ""  # said of the source
    chosen = any(each.chooses_users for each in counting)
    headers = any(step.set_header_route is not None for step in spec.steps)
    if chosen or headers:
        return (
            "needs users that are assigned at random, and headers and cookies choose other users"
            " than stable's; use max"
        )
    return ""


def _variable(spec: RolloutSpec, name: str) -> str:
    if name not in PROMQL_VARIABLES:
        return f"unknown variable {name!r}; known are {', '.join(sorted(PROMQL_VARIABLES))}"
    known = {"canary.service": spec.canary_service, "stable.service": spec.stable_service}
    if name in known and known[name] is None:
        arm = name.removesuffix(".service")
        missing = "previewService" if spec.blue_green is not None else "trafficRouting"
        return (
            f"there is no {arm} Service without {missing}, so {name!r} is nothing;"
            f" use {arm}.hash, which is in the names of the pods"
        )
    return ""
