"""
The traps around one Rollout, as the cluster is at this moment. Reads only, each kind once.

What is found is what the controller finds for the condition Preflight, by the same functions;
besides, what a condition does not say because it changes by the second.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from rollouts.cli.lint_metrics import metric_remarks
from rollouts.cli.lint_together import unwise
from rollouts.cli.remarks import Remark, as_mapping, trap
from rollouts.cli.session import Requests
from rollouts.controller.observe import observe
from rollouts.controller.preflight import Place
from rollouts.controller.preflight.moment import idle_services
from rollouts.controller.preflight.snapshot import Snapshot
from rollouts.controller.status_store import recall
from rollouts.controller.watches import WATCHED
from rollouts.core.facts import with_service_findings, with_workload_findings
from rollouts.core.world import World
from rollouts.errors import Forbidden, InvalidSpec, NotFound
from rollouts.kube.merging import merged
from rollouts.kube.paths import EARLIER_VERSIONS
from rollouts.model.base import format_time
from rollouts.model.evidence import Evidence
from rollouts.model.kinds import (
    CRD,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    GRPC_ROUTE,
    HTTP_ROUTE,
    INGRESS,
    JSON,
    POD,
    POLICIES,
    ROLLOUT,
    SERVICE,
    TRAFFIC_SPLIT,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.spec import RolloutSpec
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout

_ABSENCES = {
    INGRESS: ("IngressNotFound",),
    HTTP_ROUTE: ("RouteNotFound", "HTTPRoutesNotServed"),
    GRPC_ROUTE: ("RouteNotFound", "GRPCRoutesNotServed"),
    TRAFFIC_SPLIT: ("TrafficSplitsNotServed",),
    SERVICE: ("ServiceNotFound", "RootServiceNotFound"),
    DEPLOYMENT: ("WorkloadMissing", "AutoscalerMisdirected", "OthersServe"),
    POD: ("OthersServe",),
    ENDPOINT_SLICE: ("NoReadyPods",),
    ROLLOUT: ("ServiceLeftBehind",),
}
"""What can't be said of a kind that may not be read: that there is none."""


async def look(
    requests: Requests, ref: Ref, written: Iterable[Any], prometheus: str = ""
) -> list[Remark]:
    """
    Return what is in the way of the Rollout's next release.

    `written` are objects from files, as if they had been applied, which leaves alone what they
    do not name. The Rollout itself may be one of them, and need not be in the cluster.
    `prometheus` is the address of one to ask, if any.

    Raises:
        NotFound: it is neither in the cluster nor in the files.
        RolloutsError: the cluster does not answer.
    """
    cluster, hidden = await _read(requests, ref.namespace)
    if ROLLOUT in hidden:
        with suppress(NotFound):
            cluster.add(ROLLOUT, [await requests.get(ref)])
    for kind, obj in _of_namespace(written, ref.namespace):
        before = cluster.get(Ref(kind, ref.namespace, obj["metadata"]["name"]))
        after = merged(_unborn() if before is None else before, obj)
        cluster.add(kind, [{**after, "spec": obj.get("spec")} if kind == ROLLOUT else after])
    rollout = cluster.get(ref) or await requests.get(ref)
    remarks = [
        Remark("note", "", f"could not look at {kind.plural}: {why}")
        for kind, why in sorted(hidden.items())
        if kind not in POLICIES or _is_on_gateways(rollout)
    ]
    try:
        spec = parse_rollout(rollout)
    except InvalidSpec as invalid:
        return [*remarks, *(Remark("error", each.field, each.reason) for each in invalid.errors)]
    measured = await metric_remarks(prometheus, rollout, spec) if prometheus else []
    return [*remarks, *_problems(cluster, rollout, spec, hidden), *measured, *unwise(spec)]


def _is_on_gateways(rollout: FrozenJSON) -> bool:
    """Return whether a Rollout names routes of the Gateway API, which policies are attached to."""
    found: object = rollout.get("spec")
    for field in ("strategy", "canary", "trafficRouting", "gatewayAPI"):
        found = as_mapping(found).get(field)
    return bool(found)


def _problems(
    cluster: Snapshot, rollout: FrozenJSON, spec: RolloutSpec, hidden: Mapping[Kind, str]
) -> Iterator[Remark]:
    status = recall(rollout) or RolloutStatus()
    seen = observe(cluster, rollout, spec, status, quiet_seconds=0)
    world = with_workload_findings(World(spec, seen, Evidence(), datetime.now(UTC)), status)
    world = with_service_findings(world, status)
    found = [
        *world.observed.route.findings,
        *idle_services(Place.of(cluster, rollout, spec)),
    ]
    for finding in sorted(found, key=lambda each: not each.is_blocking):
        if not any(finding.reason in _ABSENCES.get(kind, ()) for kind in hidden):
            yield trap(finding)


async def _read(requests: Requests, namespace: str) -> tuple[Snapshot, dict[Kind, str]]:
    """Return the namespace's objects, and the kinds that may not be read, with the reason."""
    kinds = [kind for kind in WATCHED if kind != CRD]
    answers = await asyncio.gather(*(_select(requests, kind, namespace) for kind in kinds))
    cluster, hidden = Snapshot(), {}
    for kind, (version, objects, why) in zip(kinds, answers, strict=True):
        cluster.add(kind, objects)
        if why:
            hidden[kind] = why
        elif version and WATCHED[kind].versions:
            cluster.add(CRD, [_definition(kind, version)])
    return cluster, hidden


async def _select(requests: Requests, kind: Kind, namespace: str) -> tuple[str, list[JSON], str]:
    """Return the version at which a kind is served, if it is, its objects, or why they can't be read."""
    earlier = EARLIER_VERSIONS.get(kind)
    for version in WATCHED[kind].versions or filter(None, (kind.version, earlier)):
        at = Kind(kind.group, version, kind.plural, kind.name)
        try:
            return version, await requests.select(at, namespace), ""
        except NotFound:
            continue
        except Forbidden as error:
            return "", [], str(error)
    return "", [], ""


def _definition(kind: Kind, version: str) -> JSON:
    """Return what a CustomResourceDefinition says of a version that has just been read."""
    return {
        "metadata": {"name": kind.crd_name},
        "spec": {"versions": [{"name": version, "served": True}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


def _unborn() -> JSON:
    """Return what an object has that is created now: it is the youngest, and owns nothing yet."""
    return {"metadata": {"uid": "", "creationTimestamp": format_time(datetime.now(UTC))}}


def _of_namespace(written: Iterable[Any], namespace: str) -> Iterator[tuple[Kind, JSON]]:
    """Yield the objects from files that are of a kind that counts, and go into the namespace."""
    kinds = {(kind.group, kind.name): kind for kind in WATCHED if kind != CRD}
    for content in written:
        if not isinstance(content, dict) or not isinstance(content.get("metadata"), dict):
            continue
        group = str(content.get("apiVersion") or "").rpartition("/")[0]
        kind = kinds.get((group, str(content.get("kind"))))
        metadata = {**content["metadata"]}
        metadata["namespace"] = metadata.get("namespace") or namespace
        if kind is not None and metadata["namespace"] == namespace and metadata.get("name"):
            yield kind, {**content, "metadata": metadata}
