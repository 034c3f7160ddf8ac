"""What canary Ingresses say now: one weight or none, the most they may send, and who changed them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.model.kinds import JSON, Ref
from rollouts.model.route import Remove, Route
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

WEIGHT = f"{PREFIX}/canary-weight"
HEADER: dict[str, Any] = {"canaryIngressAnnotations": {"canary-by-header": "X-Canary"}}


def live(
    percent: int, ingresses: Ingresses | None = None, obj: JSON | None = None, **how: Any
) -> Ingresses:
    """Return the namespace's Ingresses while the canary has this weight."""
    obj, found = obj or rollout(), ingresses or ingress(ingressClassName="nginx")
    return found | stored(render(found, percent, obj=obj, **how))


def test_no_canary_ingress_is_no_weight() -> None:
    assert observe(ingress()) == Route(exists=False, weight=0, highest=0, intact=True)


@pytest.mark.parametrize("percent", [0, 1, 100])
def test_what_was_rendered_is_what_is_seen(percent: int) -> None:
    assert observe(live(percent)) == Route(exists=True, weight=percent, highest=percent)


def test_ingresses_that_differ_have_no_weight_and_the_highest_counts() -> None:
    obj = rollout(("web", "api"))
    found = live(25, ingress() | ingress(name="api"), obj)
    assert observe(found, obj) == Route(exists=True, weight=25, highest=25)
    found["api-checkout-canary"]["metadata"]["annotations"][WEIGHT] = "50"
    differing = Route(exists=True, weight=None, highest=50, written=frozenset({25, 50}))
    assert observe(found, obj) == differing


def test_a_canary_that_is_missing_beside_another_leaves_no_weight() -> None:
    obj = rollout(("web", "api"))
    found = live(25, ingress() | ingress(name="api"), obj)
    del found["api-checkout-canary"]
    alone = Route(exists=True, weight=None, highest=25, written=frozenset({25}))
    assert observe(found, obj) == alone


@pytest.mark.parametrize(
    "garbage", ["", "5%", "5.5", " 5", "-1", "101", "five", "²", "٣", "1" * 5000, "0" * 5000]
)
def test_a_weight_that_is_none_may_be_anything(garbage: str) -> None:
    found = live(5)
    found[CANARY]["metadata"]["annotations"][WEIGHT] = garbage
    assert observe(found) == Route(exists=True, weight=None, highest=100, intact=False)


@pytest.mark.parametrize("key", [WEIGHT, f"{PREFIX}/canary"])
def test_an_annotation_that_is_gone_is_no_weight(key: str) -> None:
    found = live(5)
    del found[CANARY]["metadata"]["annotations"][key]
    assert observe(found) == Route(exists=True, weight=None, highest=100, intact=False)


def test_without_any_annotations_it_is_still_seen_by_its_name() -> None:
    found = live(5)
    found[CANARY]["metadata"]["annotations"] = None
    assert observe(found).weight is None
    assert not observe(found).intact


def edited(part: str) -> Any:
    """Return a hand that changes one part of a canary Ingress."""

    def edit(canary: JSON) -> None:
        spec, annotations = canary["spec"], canary["metadata"]["annotations"]
        match part:
            case "host":
                spec["rules"][0]["host"] = "evil.test"
            case "path":
                spec["rules"][0]["http"]["paths"].append(path("other", "/other"))
            case "backend":
                spec["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "other"
            case "rules":
                del spec["rules"]
            case "class":
                spec["ingressClassName"] = "other"
            case "no class":
                del spec["ingressClassName"]
            case "header":
                annotations[f"{PREFIX}/canary-by-header"] = "X-All"

    return edit


@pytest.mark.parametrize(
    "part", ["host", "path", "backend", "rules", "class", "no class", "header"]
)
def test_a_change_by_somebody_else_is_noticed(part: str) -> None:
    found = live(5)
    edited(part)(found[CANARY])
    seen = observe(found)
    assert (seen.weight, seen.intact) == (5, False)


def test_an_annotation_of_the_users_that_is_gone_or_changed_is_noticed() -> None:
    obj = rollout(**HEADER)
    for value in ("X-Other", None):
        found = live(5, obj=obj)
        found[CANARY]["metadata"]["annotations"][f"{PREFIX}/canary-by-header"] = value
        assert not observe(found, obj).intact


def test_foreign_annotations_and_labels_disturb_nobody() -> None:
    found = live(5)
    found[CANARY]["metadata"]["annotations"]["field.cattle.io/publicEndpoints"] = "[]"
    found[CANARY]["metadata"]["labels"]["team"] = "x"
    assert observe(found).intact


def test_a_class_that_the_api_server_gave_is_nobody_s_change() -> None:
    """The stable Ingress has none: it is older than the cluster's default class."""
    found = live(5, ingress())
    found[CANARY]["spec"]["ingressClassName"] = "nginx"
    assert observe(found).intact


def test_a_change_of_the_stable_ingress_asks_for_another_canary() -> None:
    found = live(5) | ingress(rule(path(at="/new")), ingressClassName="nginx")
    assert not observe(found).intact


def test_a_header_rule_reaches_the_canary_at_weight_0_until_it_is_cut_off() -> None:
    obj = rollout(**HEADER)
    open_ = observe(live(0, obj=obj), obj)
    assert (open_.weight, open_.highest, open_.intact) == (0, 1, True)
    closed = observe(live(0, obj=obj, cut_off=True), obj)
    assert (closed.weight, closed.highest, closed.intact) == (0, 0, True)


@pytest.mark.parametrize("key", ["external-dns.alpha.kubernetes.io/exclude", "proxy-body-size"])
def test_an_annotation_that_routes_nothing_is_no_traffic_and_stays(key: str) -> None:
    obj = rollout(canaryIngressAnnotations={key: "8"})
    full = key if "/" in key else f"{PREFIX}/{key}"
    for cut_off in (False, True):
        found = live(0, obj=obj, cut_off=cut_off)
        assert found[CANARY]["metadata"]["annotations"][full] == "8"
        assert (observe(found, obj).highest, observe(found, obj).intact) == (0, True)


@pytest.mark.parametrize("key", ["canary-by-cookie", "higress.io/canary-by-query"])
def test_an_annotation_that_routes_goes_with_a_rollback(key: str) -> None:
    obj = rollout(canaryIngressAnnotations={key: "x", "team": "shop"})
    assert observe(live(0, obj=obj), obj).highest == 1
    cut = live(0, obj=obj, cut_off=True)
    assert key.rpartition("/")[2] not in str(cut[CANARY]["metadata"]["annotations"])
    assert observe(cut, obj).highest == 0


def test_a_canary_that_is_being_deleted_is_gone() -> None:
    found = live(5)
    found[CANARY]["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    assert observe(found) == Route(exists=False, weight=0, highest=0)


def test_a_canary_that_the_spec_asks_for_no_longer_counts_until_it_sends_nothing() -> None:
    both, only = rollout(("web", "api")), rollout(("api",))
    found = live(25, ingress() | ingress(name="api"), both)
    seen = observe(found, only)
    assert (seen.exists, seen.weight, seen.highest, seen.intact) == (True, 25, 25, False)
    found |= stored(render(found, 50, obj=only))
    seen = observe(found, only)
    assert (seen.exists, seen.weight, seen.highest, seen.intact) == (True, 50, 50, True)
    del found["api-checkout-canary"]
    seen = observe(found, only)
    assert (seen.exists, seen.weight, seen.highest, seen.intact) == (True, 0, 0, True)
    (removal,) = NginxRouter().clear(context(found, only))
    assert removal == Remove(Ref(INGRESS, "shop", CANARY), found[CANARY]["metadata"]["uid"])


def test_a_changed_prefix_means_other_annotations() -> None:
    obj = rollout(annotationPrefix="other.example")
    assert observe(live(5), obj).weight is None
    assert not observe(live(5), obj).intact


TEXT = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
PATHS = st.builds(path, st.sampled_from(["checkout", "cart"]), TEXT.map("/{}".format))
RULES = st.builds(lambda paths, host: rule(*paths, host=host), st.lists(PATHS, max_size=3), TEXT)
INGRESSES = st.builds(
    lambda one, two, web, api: ingress(*one, **web) | ingress(*two, name="api", **api),
    st.lists(RULES, max_size=3),
    st.lists(RULES, max_size=3),
    *[st.sampled_from([{}, {"ingressClassName": "nginx"}, {"annotations": {"x": "y"}}])] * 2,
)
ROUTING = st.sampled_from([{}, HEADER, {"annotationPrefix": "a.example"}])


@given(INGRESSES, ROUTING, st.integers(0, 100))
def test_what_is_rendered_is_always_seen_intact_with_its_weight(
    ingresses: Ingresses, routing: Any, percent: int
) -> None:
    obj = rollout(("web", "api"), **routing)
    rendered = render(ingresses, percent, obj=obj)
    found = ingresses | stored(rendered)
    seen = observe(found, obj)
    assert seen.intact
    assert seen.exists is bool(rendered)
    expected = percent if len(rendered) == 2 else None if rendered else 0
    assert seen.weight == expected
    again = render(found, percent, obj=obj)
    assert again == rendered, "a second rendering changes nothing"
    off = stored(render(found, 0, obj=obj, cut_off=True))
    seen = observe(ingresses | off, obj)
    assert (seen.highest, seen.intact) == (0, True)


@given(st.text(max_size=8), st.booleans())
def test_no_annotation_whatsoever_makes_observe_raise(text: str, canary: bool) -> None:
    found = live(5)
    key = f"{PREFIX}/canary" if canary else WEIGHT
    found[CANARY]["metadata"]["annotations"][key] = text
    seen = observe(found)
    assert seen.weight in (None, *range(101))
    assert 0 <= seen.highest <= 100
