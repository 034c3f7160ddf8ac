"""The canary's upstream is made as the stable one is: ingress-nginx makes it from the canary Ingress alone."""

from typing import Any

import pytest

from rollouts.model.finding import Finding
from rollouts.model.kinds import Ref
from rollouts.model.route import Change, Split
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

MESHED = {f"{PREFIX}/service-upstream": "true"}
MARKS = {f"{PREFIX}/canary", f"{PREFIX}/canary-weight"}


def said(annotations: Any, **how: Any) -> dict[str, str]:
    """Return what the canary Ingress of a stable one with these annotations says, but for its weight."""
    (canary,) = render(ingress(annotations=annotations), **how)
    found = canary["metadata"]["annotations"]
    return {key: value for key, value in found.items() if key not in MARKS}


@pytest.mark.parametrize(
    "key",
    [
        "service-upstream",
        "load-balance",
        "upstream-hash-by",
        "upstream-hash-by-subset-size",
        "affinity-canary-behavior",
        "backend-protocol",
        "proxy-ssl-secret",
        "proxy-ssl-verify",
        "affinity",
        "session-cookie-name",
    ],
)
@pytest.mark.parametrize("cut_off", [False, True])
def test_what_shapes_the_upstream_is_the_stable_ingress_s(key: str, cut_off: bool) -> None:
    annotation = {f"{PREFIX}/{key}": "x"}
    assert said(annotation, cut_off=cut_off) == annotation


def test_all_else_is_not_copied() -> None:
    others = {f"{PREFIX}/rewrite-target": "/", f"{PREFIX}/auth-url": "https://a.test", "team": "x"}
    assert said({**others, "other.io/service-upstream": "true"}) == {}
    assert said(None) == {}


def test_the_prefix_is_the_one_of_the_spec() -> None:
    obj = rollout(annotationPrefix="other.io")
    (canary,) = render(ingress(annotations={**MESHED, "other.io/load-balance": "ewma"}), obj=obj)
    assert canary["metadata"]["annotations"] == {
        "other.io/canary": "true",
        "other.io/canary-weight": "5",
        "other.io/load-balance": "ewma",
    }


def test_what_the_user_wants_of_the_canary_wins() -> None:
    obj = rollout(canaryIngressAnnotations={"service-upstream": "false"})
    assert said(MESHED, obj=obj) == {f"{PREFIX}/service-upstream": "false"}


def live(annotations: Any) -> Ingresses:
    found = ingress(annotations=annotations)
    return found | stored(render(found))


def test_a_change_of_the_stable_ingress_is_followed() -> None:
    added = live({}) | ingress(annotations=MESHED)
    assert not observe(added).intact
    taken = live(MESHED) | ingress()
    assert not observe(taken).intact
    _, change = NginxRouter().render(context(taken), Split(5))
    body = {"metadata": {"annotations": {f"{PREFIX}/service-upstream": None}}}
    assert change == Change(Ref(INGRESS, "shop", CANARY), body)
    assert observe(live(MESHED)).intact


def test_it_stays_when_the_stable_ingress_is_gone() -> None:
    left = live(MESHED)
    del left["web"]
    (canary,) = render(left, 0)
    assert canary["metadata"]["annotations"].items() >= MESHED.items()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("checkout", True),
        ("checkout.shop.svc.cluster.local", True),
        ("shop.test", False),
        ("checkout-canary.shop", False),
    ],
)
def test_a_host_that_is_the_stable_service_s_is_told(host: str, told: bool) -> None:
    found = observe(ingress(rule(path()), annotations={f"{PREFIX}/upstream-vhost": host})).findings
    assert [(each.reason, each.is_blocking) for each in found] == (
        [("UpstreamHostOfStable", False)] if told else []
    )
    assert all(isinstance(each, Finding) and host in each.message for each in found)


STICKY = {f"{PREFIX}/affinity": "cookie", f"{PREFIX}/session-cookie-name": "shop"}
BEHAVIOUR = f"{PREFIX}/affinity-canary-behavior"


def test_the_behaviour_of_affinity_may_be_the_canary_s_own() -> None:
    obj = rollout(canaryIngressAnnotations={"affinity-canary-behavior": "legacy"})
    (finding,) = observe(ingress(annotations=STICKY), obj).findings
    assert "take that annotation away" in finding.message


@pytest.mark.parametrize("own", [None, "sticky"])
def test_a_rollback_lets_go_of_users_whose_cookie_keeps_them_on_the_canary(
    own: str | None,
) -> None:
    """At weight 0 alone ingress-nginx would send them on to a bad release."""
    extra: dict[str, Any] = (
        {} if own is None else {"canaryIngressAnnotations": {"affinity-canary-behavior": own}}
    )
    obj = rollout(**extra)
    found = ingress(annotations=STICKY)
    assert said(STICKY, obj=obj).get(BEHAVIOUR) == own
    assert said(STICKY, obj=obj, cut_off=True)[BEHAVIOUR] == "legacy"
    kept = found | stored(render(found, 0, obj=obj))
    assert (observe(kept, obj).weight, observe(kept, obj).highest) == (0, 1)
    cut = found | stored(render(found, 0, obj=obj, cut_off=True))
    seen = observe(cut, obj)
    assert (seen.weight, seen.highest, seen.intact) == (0, 0, True)
    again = found | stored(render(cut, 5, obj=obj))
    assert observe(again, obj).intact
    assert again[CANARY]["metadata"]["annotations"].get(BEHAVIOUR) == own


def test_without_affinity_a_rollback_says_nothing_of_it() -> None:
    assert said(MESHED, cut_off=True) == MESHED
