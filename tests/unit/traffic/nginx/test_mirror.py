"""Mirrors: one annotation of the user's Ingress, written only where it is free, and taken away again."""

from typing import Any

import pytest

from rollouts.model.header_and_mirror_routes import SetMirrorRoute
from rollouts.model.kinds import JSON, SERVICE, Ref
from rollouts.model.route import Change, RoutingWrite, Split
from rollouts.model.routers.nginx import INGRESS
from rollouts.traffic.nginx.router import NginxRouter
from tests.unit.traffic.ingresses import (
    CANARY,
    PREFIX,
    Ingresses,
    context,
    ingress,
    observe,
    path,
    render,
    rollout,
    rule,
    stored,
)

KEY = f"{PREFIX}/mirror-target"
TARGET = "http://checkout-canary.shop.svc.cluster.local$request_uri"
MIRROR = Split(5, mirrors=(SetMirrorRoute(name="shadow", percentage=100),))
STEPS = [{"setMirrorRoute": {"name": "shadow", "percentage": 100}}, {"setWeight": 5}]


def mirroring() -> JSON:
    obj = rollout()
    obj["spec"]["strategy"]["canary"]["steps"] = STEPS
    return obj


def changes(found: Ingresses, split: Split, obj: JSON | None = None, **how: Any) -> list[Change]:
    return only_changes(NginxRouter().render(context(found, obj, **how), split))


def only_changes(writes: list[RoutingWrite]) -> list[Change]:
    return [write for write in writes if isinstance(write, Change)]


def live(target: str | None = TARGET, percent: int = 5) -> Ingresses:
    found = ingress(annotations={"team": "shop", **({KEY: target} if target else {})})
    found["web"]["metadata"]["resourceVersion"] = "3"
    return found | stored(render(found, percent))


def change(target: str | None) -> Change:
    metadata = {"annotations": {KEY: target}, "resourceVersion": "3"}
    return Change(Ref(INGRESS, "shop", "web"), {"metadata": metadata})


def test_a_mirror_is_one_annotation_of_the_users_ingress() -> None:
    assert changes(live(None), MIRROR) == [change(TARGET)]
    assert changes(live(), MIRROR) == [], "nothing is written that is there"


@pytest.mark.parametrize("split", [Split(5), Split(0, cut_off=True), Split(0)])
def test_it_goes_with_the_mirror_route(split: Split) -> None:
    assert changes(live(), split) == [change(None)]
    assert changes(live(None), split) == []


def test_clearing_leaves_the_users_ingress_as_it_was() -> None:
    removal, taken = NginxRouter().clear(context(live()))
    assert removal.ref.name == CANARY  # type: ignore[union-attr]
    assert taken == change(None)


def test_a_mirror_of_the_users_own_is_left_alone_and_stops_the_release() -> None:
    found = live("https://elsewhere.test$request_uri")
    assert changes(found, MIRROR) == []
    assert only_changes(NginxRouter().clear(context(found))) == []
    seen = observe(found, mirroring(), MIRROR)
    assert not seen.routes_match
    (finding,) = seen.blockers
    assert finding.reason == "MirrorTargetTaken"
    assert "Ingress web mirrors to https://elsewhere.test$request_uri already" in finding.message
    assert observe(found).findings == (), "no step mirrors"


def test_a_service_whose_name_begins_like_the_canary_s_is_another() -> None:
    theirs = "http://checkout-canary.shop.svc.cluster.local.evil.test$request_uri"
    assert changes(live(theirs), MIRROR) == []
    assert not observe(live(theirs, 0)).highest


def test_what_is_seen_of_a_mirror() -> None:
    seen = observe(live(percent=0), mirroring(), MIRROR)
    assert (seen.exists, seen.weight, seen.highest) == (True, 0, 1)
    assert (seen.intact, seen.routes_match) == (True, True)
    assert seen.findings == ()
    assert not observe(live(), mirroring()).routes_match
    assert not observe(live(None), mirroring(), MIRROR).routes_match
    alone = ingress(annotations={KEY: TARGET})
    assert (observe(alone).exists, observe(alone).highest) == (True, 1)


def test_an_ingress_that_is_named_no_longer_mirrors_no_longer() -> None:
    found = live() | ingress(name="api")
    obj = rollout(("api",))
    assert change(None) in changes(found, MIRROR, obj)


SERVICES = {"checkout": {"spec": {"ports": [{"name": "http", "port": 8080}]}}}


@pytest.mark.parametrize(
    ("port", "url"), [({"number": 81}, ":81"), ({"name": "http"}, ":8080"), ({"name": "x"}, None)]
)
def test_the_port_is_the_one_that_the_ingress_leads_to(port: JSON, url: str | None) -> None:
    found = ingress(rule(path(port=port)))
    others: Any = {"objects": {SERVICE: SERVICES}}
    written = changes(found, MIRROR, **others)
    values = [each.body["metadata"]["annotations"][KEY] for each in written]
    assert values == ([TARGET.replace("$", f"{url}$")] if url else [])
    seen = observe(found, mirroring(), MIRROR, **others)
    assert [each.reason for each in seen.blockers] == ([] if url else ["MirrorPortUnknown"])
    assert not seen.routes_match


def test_an_ingress_that_leads_elsewhere_too_would_mirror_that_as_well() -> None:
    found = ingress(rule(path(), path("cart", "/cart")))
    (finding,) = observe(found, mirroring()).blockers
    assert finding.reason == "MirrorCoversOthers"
    assert "leads to cart too" in finding.message
    assert observe(found).blockers == ()
