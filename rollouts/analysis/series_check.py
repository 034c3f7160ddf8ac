"""
Whether Prometheus has what the criteria of a Rollout will ask for, before a release starts.

There is no canary yet, so that the stable revision is looked for. Asks little: one number
per metric and spelling. What is found is said in words for people; nothing is decided here.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rollouts.analysis.criterion_metric import metric_of
from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.errors import Permanent
from rollouts.model.criteria import Criterion
from rollouts.model.rollout_key import Key
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import Revision
from rollouts.ports import QuerySource

_TARGET_LABELS = ("namespace", "pod", "service", "container", "job", "instance")
"""The labels that scraping adds in Kubernetes, and renames where the app has them too."""
_MATCHER = re.compile(rf"\b({'|'.join(_TARGET_LABELS)})(?=\s*(?:=~|!~|!=|=))")


@dataclass(frozen=True, slots=True)
class SeriesCheck:
    """
    What there is of one criterion's series.

    `wanted`: they exist as they are asked for, or in native histograms. `renamed`: only with `exported_` before labels.
    `absent`: not at all. `refused`: Prometheus does not understand the query.
    """

    criterion: str
    found: Literal["wanted", "renamed", "absent", "refused"]
    hint: str = ""
    """What that means, and the way out; nothing when all is well."""


async def check_series(
    source: QuerySource, key: Key, spec: RolloutSpec, stable: Revision, at: datetime
) -> tuple[SeriesCheck, ...]:
    """
    Return what Prometheus has for each criterion, in their order.

    Raises:
        RolloutsError: the source does not answer.
    """
    exposed = ExposedCanary(key, spec, at, None, stable, stable)
    return tuple([await _check(source, each, exposed, at) for each in spec.success_criteria])


async def _check(
    source: QuerySource, criterion: Criterion, exposed: ExposedCanary, at: datetime
) -> SeriesCheck:
    try:
        if criterion.query is not None:
            return await _query(source, criterion, exposed.fill(criterion.query.promql), at)
        return await _counters(source, criterion, exposed, at)
    except Permanent as error:
        return SeriesCheck(criterion.name, "refused", str(error))


async def _counters(
    source: QuerySource, criterion: Criterion, exposed: ExposedCanary, at: datetime
) -> SeriesCheck:
    asked = metric_of(exposed, criterion).series
    wanted, renamed = asked.selectors
    if await _number(source, f"count({wanted})", at):
        return SeriesCheck(criterion.name, "wanted")
    if await _number(source, f"count({renamed})", at):
        hint = (
            f"Prometheus renames labels of {asked.name} to exported_…, because it does not honour"
            " them; that is understood"
        )
        return SeriesCheck(criterion.name, "renamed", hint)
    for native in asked.natives:
        if await _number(source, f"count({native})", at):
            return SeriesCheck(criterion.name, "wanted")
    hint = f"Prometheus has no {wanted} now: nobody has asked yet, or {asked.hint}"
    if asked.up_matchers:
        up = f"up{{{asked.up_matchers}}}"
        if await _number(source, f"count({up})", at):
            hint = (
                f"Prometheus scrapes the pods and has no {wanted}: nobody has asked yet, or the app"
                " calls it otherwise (spec.appMetrics)"
            )
        else:
            hint = (
                f"Prometheus scrapes none of the pods: it has no {up}; see whether a PodMonitor or"
                " scrape job selects them"
            )
    return SeriesCheck(criterion.name, "absent", hint)


async def _query(
    source: QuerySource, criterion: Criterion, promql: str, at: datetime
) -> SeriesCheck:
    found = await source.value(promql, at=at)
    if found.number is not None and math.isfinite(found.number):
        return SeriesCheck(criterion.name, "wanted")
    for labels, other in _respelled(promql):
        if await _number(source, other, at) is not None:
            names = " and ".join(f"exported_{each}" for each in labels)
            hint = (
                "the query yields nothing, and something when it asks for"
                f" {names}: Prometheus renames what scraping adds too; use these names, or set"
                " honorLabels for that job"
            )
            return SeriesCheck(criterion.name, "renamed", hint)
    why = "; ".join(found.warnings) or "run it in Prometheus to see why"
    hint = f"the query yields nothing for the stable revision now; {why}"
    return SeriesCheck(criterion.name, "absent", hint)


async def _number(source: QuerySource, promql: str, at: datetime) -> float | None:
    value = (await source.value(promql, at=at)).number
    return value if value is not None and math.isfinite(value) else None


def _respelled(promql: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the query with labels as Prometheus renames them: all of them, then one at a time."""
    used = tuple(name for name in _TARGET_LABELS if name in _MATCHER.findall(promql))
    for labels in dict.fromkeys([used, *((name,) for name in used)]):
        if labels:
            matcher = re.compile(rf"\b({'|'.join(labels)})(?=\s*(?:=~|!~|!=|=))")
            yield labels, matcher.sub(r"exported_\1", promql)
