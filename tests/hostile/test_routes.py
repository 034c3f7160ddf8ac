"""A routing object that is not what its kind says holds up who names it, says why, and nobody else."""

import json
from contextlib import suppress
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.controller.routing_objects import routing_context
from rollouts.errors import Permanent
from rollouts.kube.api_errors import api_error
from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, SERVICE, Kind, Ref
from rollouts.model.route import Change, RoutingWrite, Split
from rollouts.model.routers.gateway import HTTP_ROUTE
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.model.validation import parse_rollout
from rollouts.ports import Create
from rollouts.traffic import routers
from rollouts.traffic.context import RoutingContext
from rollouts.traffic.shapes import shape_error
from tests.fakes.control_loop import ControlLoop
from tests.fakes.kubernetes import ingress, rollout, service
from tests.hostile.routes import KINDS, ROUTE, SPLIT, loop_with, mutations, placed

MOST_STATUS_BYTES = 64 * 1024
ROLES = ("named", "own", "other")
NOWHERE = {"spec": {"rules": [{"backendRefs": "checkout"}]}}


def all_that_routers_do(context: RoutingContext) -> tuple[tuple[Finding, ...], list[RoutingWrite]]:
    split = Split(25)
    route = routers.observe(context, split)
    return route.findings, [
        *routers.render(context, split),
        *routers.render(context, Split(cut_off=True)),
        *routers.clear(context),
    ]


def seen(loop: ControlLoop) -> RoutingContext:
    return routing_context(loop.cluster, loop.rollout, parse_rollout(loop.rollout))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_field_can_be_made_to_raise_anything(kind: Kind, role: str) -> None:
    body, routing = KINDS[kind]
    loop = loop_with(routing)
    for found in mutations(body):
        name = placed(loop, kind, found, role)
        context = seen(loop)
        findings, writes = all_that_routers_do(context)
        unreadable = {ref.name: why for ref, why in context.unreadable.items()}
        told = [each.message for each in findings if each.reason == "RouteUnreadable"]
        assert bool(told) == (name in unreadable and kind != TRAFFIC_SPLIT and role != "other")
        assert all(unreadable[name] in each and f"{kind} {name}" in each for each in told)
        changed = [each.ref.name for each in writes if isinstance(each, Change)]
        assert name not in unreadable or name not in changed
        loop.cluster.drop(Ref(kind, "shop", name))


@pytest.mark.nightly
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_no_field_keeps_a_release_from_being_aborted(kind: Kind, role: str) -> None:
    body, routing = KINDS[kind]
    for found in islice(
        mutations(body), None, None, 5
    ):  # each junk in some field, and in each field some
        loop = loop_with(routing)
        placed(loop, kind, found, role)
        await loop.run(3)
        loop.release("shop:2")
        await loop.run(6)
        loop.command("abort")
        await loop.run(5)
        assert loop.status["lastCommand"]["verb"] == "abort"


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_its_kind_says_is_readable(kind: Kind) -> None:
    (shape,) = [each.shape for each in routers.kinds() if each.kind == kind]
    body, _ = KINDS[kind]
    assert shape
    assert shape_error(body, shape) == ""
    assert shape_error({"metadata": {}, "spec": {}}, shape) == ""


async def test_a_named_route_that_cant_be_read_holds_the_release_and_says_which_field() -> None:
    loop = loop_with({"gatewayAPI": {"httpRoutes": ["web"]}})
    placed(loop, HTTP_ROUTE, ROUTE | NOWHERE, "named")
    loop.release("shop:2")
    await loop.run(10)
    says = "HTTPRoute web can't be read: spec.rules[0].backendRefs has to be a list; correct it"
    assert says in loop.status["message"]
    (preflight,) = [each for each in loop.status["conditions"] if each["type"] == "Preflight"]
    assert (preflight["status"], preflight["reason"]) == ("False", "RouteUnreadable")


@pytest.mark.parametrize(
    ("kind", "body"),
    [(HTTP_ROUTE, ROUTE | NOWHERE), (TRAFFIC_SPLIT, SPLIT | {"spec": ["x"]})],
    ids=["HTTPRoute", "TrafficSplit"],
)
async def test_a_route_of_somebody_else_that_cant_be_read_holds_up_nobody(
    kind: Kind, body: JSON
) -> None:
    loop = loop_with({"smi": {}})
    placed(loop, kind, body, "other")
    await loop.until(lambda: loop.status.get("phase") == "Healthy")
    loop.release("shop:2")
    await loop.until(lambda: "Promoted" in loop.reasons())


async def test_our_own_that_somebody_made_unreadable_is_written_anew() -> None:
    loop = loop_with({"smi": {}})
    await loop.until(lambda: loop.status.get("phase") == "Healthy")
    loop.release("shop:2")
    await loop.until(lambda: bool(loop.cluster.select(TRAFFIC_SPLIT, "shop")))
    placed(loop, TRAFFIC_SPLIT, SPLIT | {"spec": {"backends": 3, "matches": "x"}}, "named")
    await loop.round()
    (found,) = loop.cluster.select(TRAFFIC_SPLIT, "shop")
    assert [each["weight"] for each in found["spec"]["backends"]] == [75, 25]
    assert "matches" not in found["spec"]


async def test_what_a_gateway_says_of_a_route_is_repeated_in_part() -> None:
    loop = loop_with({"gatewayAPI": {"httpRoutes": ["web"]}})
    refused = {"type": "Accepted", "status": "False", "reason": "No", "message": "x" * 32_768}
    names = [{"name": f"edge-{number}"} for number in range(32)]
    parents = [{"parentRef": each, "conditions": [refused]} for each in names]
    spec = ROUTE["spec"] | {"parentRefs": names}
    placed(loop, HTTP_ROUTE, ROUTE | {"spec": spec, "status": {"parents": parents}}, "named")
    await loop.run(3)
    assert "Gateway edge-0 refuses HTTPRoute web: No: xxx" in loop.status["message"]
    assert len(json.dumps(loop.status)) < MOST_STATUS_BYTES


async def test_of_an_ingress_with_thousands_of_services_ten_are_named() -> None:
    loop = ControlLoop()
    body = ingress()
    (rule,) = body["spec"]["rules"]
    backends = [
        {"service": {"name": f"s{each:04}", "port": {"number": 80}}} for each in range(3000)
    ]
    paths = [{"path": "/", "pathType": "Prefix", "backend": each} for each in backends]
    loop.cluster.put(INGRESS, body | {"spec": {"rules": [rule | {"http": {"paths": paths}}]}})
    loop.apply(successCriteria=[])
    await loop.run(3)
    assert "it leads to s0000, s0001, s0002" in loop.status["message"]
    assert "s0009 and 2990 more" in loop.status["message"]
    assert len(json.dumps(loop.status)) < MOST_STATUS_BYTES


async def test_what_an_admission_webhook_refuses_with_is_repeated_in_part() -> None:
    loop = ControlLoop()
    answer = {"message": 'admission webhook "x" denied the request: ' + "x" * 1_000_000}
    loop.cluster.refuses = lambda write: (
        api_error(400, answer, asked="POST ReplicaSet") if isinstance(write, Create) else None
    )
    loop.apply(successCriteria=[])
    for _ in range(3):
        with suppress(Permanent):
            await loop.round()
        loop.clock.move(60)
    assert 'admission webhook "x" denied the request' in loop.status["message"]
    assert len(loop.status["message"]) < 2000
    assert len(json.dumps(loop.status)) < MOST_STATUS_BYTES


PATHS: Any = st.sampled_from(["checkout", "other", None]).map(
    lambda name: {
        "path": "/",
        "pathType": "Exact",
        "backend": {"service": {"name": name, "port": {"name": "http"}}}
        if name
        else {"resource": {"kind": "Bucket", "name": "b"}},
    }
)
RULES: Any = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"http": st.fixed_dictionaries({"paths": st.lists(PATHS, min_size=1, max_size=3)})},
        optional={"host": st.sampled_from(["shop.test", "*.test"])},
    ),
)
ANNOTATIONS: Any = st.dictionaries(
    st.sampled_from(
        [
            "canary",
            "canary-weight",
            "canary-by-header",
            "affinity",
            "mirror-target",
            "upstream-vhost",
        ]
    ).map(lambda key: f"nginx.ingress.kubernetes.io/{key}"),
    st.sampled_from(["", "true", "cookie", "100", "1e2", "٣", "-1", "x" * 1000]),
)


@settings(max_examples=100)
@given(st.lists(RULES, max_size=3), ANNOTATIONS, st.sampled_from(["checkout", "other", None]))
def test_of_any_valid_ingress_only_the_paths_of_the_service_get_a_canary(
    rules: list[JSON], annotations: dict[str, str], default: str | None
) -> None:
    obj = rollout([{"setWeight": 25}])
    obj["metadata"]["uid"] = "uid"
    body = ingress()
    body["metadata"]["annotations"] = annotations
    body["spec"]["rules"] = rules
    if default:
        body["spec"]["defaultBackend"] = {"service": {"name": default, "port": {"number": 80}}}
    others = {"checkout": body, "other": {**body, "metadata": {"namespace": "shop", "name": "o"}}}
    context = RoutingContext(
        parse_rollout(obj), obj, {INGRESS: others, SERVICE: {"checkout": service()}}
    )
    _, writes = all_that_routers_do(context)
    kept = [each.body for each in writes if not isinstance(each, Change) and hasattr(each, "body")]
    for canary in kept:
        paths = [path for rule in canary["spec"]["rules"] for path in rule["http"]["paths"]]
        assert {path["backend"]["service"]["name"] for path in paths} == {"checkout-canary"}
        mark = canary["metadata"]["annotations"]
        assert mark["nginx.ingress.kubernetes.io/canary-weight"] in ("0", "25")
