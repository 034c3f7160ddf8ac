"""What is in the way of one Rollout in the cluster at this moment. Reads only, each kind once."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rollouts.cli.lint.file_preflight import malformed_object, preflight_findings
from rollouts.cli.lint.series import series_findings
from rollouts.cli.lint.spec import spec_findings
from rollouts.cli.lint.valid_part import errors_in, valid_part
from rollouts.cli.session import Requests
from rollouts.controller.preflight.snapshot import KINDS, ClusterSnapshot
from rollouts.controller.watches import WATCHED
from rollouts.errors import Forbidden, NotFound
from rollouts.kube.paths import EARLIER_VERSIONS
from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, ROLLOUT, FrozenJSON, Kind, Ref
from rollouts.model.unchecked_json import mapping
from rollouts.traffic.routers import ROUTERS


async def live_findings(
    requests: Requests, ref: Ref, written: Iterable[Any], prometheus: str = ""
) -> list[Finding]:
    """
    Return what is in the way of the Rollout's next release.

    `written` are objects from files, as if they had been applied, which leaves alone what they
    do not name. The Rollout itself may be one of them, and need not be in the cluster.
    `prometheus` is the address of one to ask, if any.

    Raises:
        NotFound: it is neither in the cluster nor in the files.
        RolloutsError: the cluster does not answer.
    """
    cluster = await _read(requests, ref.namespace)
    if ROLLOUT in cluster.hidden:
        with suppress(NotFound):
            cluster.add(ROLLOUT, [await requests.get(ref)])
    for content in written:
        if (
            mapping(mapping(content).get("metadata")).get("namespace") or ref.namespace
        ) == ref.namespace:
            cluster.apply(content, ref.namespace)
    rollout = cluster.get(ref)
    if rollout is None:
        rollout = await requests.get(ref)
        cluster.add(ROLLOUT, [rollout])
    unseen = [
        Finding("note", "", f"{kind.plural} can't be read, so nothing is said of them: {why}")
        for kind, why in sorted(cluster.hidden.items())
        if not _is_of_others(kind, rollout)
    ]
    wrong, part = errors_in(rollout), valid_part(rollout)
    if part is None:
        return [*unseen, *wrong]
    found, malformed = preflight_findings(cluster, ref, part.spec)
    series = await series_findings(prometheus, rollout, part.spec) if prometheus else []
    told = [
        *map(malformed_object, malformed),
        *(each for each in found if _holds(each, cluster, malformed)),
        *series,
        *spec_findings(part.spec),
    ]
    return [*unseen, *wrong, *(each for each in told if part.speaks_of(each.field))]


def _holds(found: Finding, cluster: ClusterSnapshot, malformed: Sequence[Ref]) -> bool:
    """Return whether it is known all that it rests on, and it is of no object that can't be read."""
    return found.absent not in malformed and cluster.knows_all(found.rests_on)


def _is_of_others(kind: Kind, rollout: FrozenJSON) -> bool:
    """Return whether only a router reads a kind, besides what it writes, that the Rollout does not name."""
    found: object = rollout.get("spec")
    for field in ("strategy", "canary", "trafficRouting"):
        found = mapping(found).get(field)
    readers = [
        router
        for router in ROUTERS
        if any(each.kind == kind and not each.is_written for each in router.kinds)
    ]
    named = any(mapping(found).get(router.spec.field) for router in readers)
    return bool(readers) and not named


async def _read(requests: Requests, namespace: str) -> ClusterSnapshot:
    """Return the namespace's objects; the kinds that may not be read are hidden."""
    answers = await asyncio.gather(*(_select(requests, kind, namespace) for kind in KINDS))
    cluster = ClusterSnapshot()
    for kind, (version, objects, why) in zip(KINDS, answers, strict=True):
        cluster.add(kind, objects)
        if why:
            cluster.hidden[kind] = why
        elif version and WATCHED[kind].versions:
            cluster.serve(kind, version)
    return cluster


async def _select(requests: Requests, kind: Kind, namespace: str) -> tuple[str, list[JSON], str]:
    """Return the version at which a kind is served, if it is, its objects, or why they can't be read."""
    earlier = EARLIER_VERSIONS.get(kind)
    for version in WATCHED[kind].versions or filter(None, (kind.version, earlier)):
        at = replace(kind, version=version)
        try:
            return version, await requests.select(at, namespace if kind.is_namespaced else ""), ""
        except NotFound:
            continue
        except Forbidden as error:
            return "", [], str(error)
    return "", [], ""
