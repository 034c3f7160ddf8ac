"""Weights in routes of the user's: only ours are written, and all of it is taken away again."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.model.kinds import JSON, Ref
from rollouts.model.route import Change, Route, Split
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.traffic.gateway.router import GatewayRouter
from tests.unit.traffic import upstream
from tests.unit.traffic.routes import (
    NOTE,
    Routes,
    accepted,
    after,
    backend,
    context,
    live,
    observe,
    render,
    rollout,
    route,
    rule,
)


def weights(routes: Routes, name: str = "web") -> list[list[tuple[str, Any]]]:
    return [
        [(ref["name"], ref.get("weight")) for ref in each["backendRefs"]]
        for each in routes[name]["spec"]["rules"]
    ]


def test_a_route_without_a_canary_is_settled() -> None:
    assert observe(route()) == Route()
    assert GatewayRouter().clear(context(route())) == []
    assert render(route(), Split()) == []


def test_the_canary_is_added_as_a_copy_of_stable_in_full() -> None:
    filters = [{"type": "RequestHeaderModifier"}]
    found = route(rule(backend(filters=filters)))
    assert render(found, Split(25)) == [
        Change(
            Ref(HTTP_ROUTE, "shop", "web"),
            {
                "metadata": {"annotations": {NOTE: '[{"stable":1}]'}, "resourceVersion": "1"},
                "spec": {
                    "rules": [
                        rule(
                            backend(filters=filters, weight=75),
                            backend("checkout-canary", filters=filters, weight=25),
                        )
                    ]
                },
            },
        )
    ]


@pytest.mark.parametrize("percent", [1, 25, 100])
def test_what_was_rendered_is_what_is_seen(percent: int) -> None:
    assert observe(live(percent)) == Route(exists=True, weight=percent, highest=percent)
    assert render(live(percent), Split(percent)) == [], "a second rendering changes nothing"


def test_only_rules_that_name_stable_are_touched_and_several_move_together() -> None:
    found = route(rule(), rule(backend("cart"), path="/cart"), rule(path="/pay"))
    assert weights(live(10, found)) == [
        [("checkout", 90), ("checkout-canary", 10)],
        [("cart", 1)],
        [("checkout", 90), ("checkout-canary", 10)],
    ]


def test_a_canary_that_the_user_lists_gets_a_weight_only() -> None:
    mine = backend("checkout-canary", 0, port=81)
    found = live(25, route(rule(backend(weight=100), mine)))
    assert found["web"]["spec"]["rules"][0]["backendRefs"] == [
        backend(weight=75),
        mine | {"weight": 25},
    ]
    cleared = after(found, GatewayRouter().clear(context(found)))
    assert weights(cleared) == [[("checkout", 100), ("checkout-canary", 0)]]


def test_other_backends_keep_their_share() -> None:
    found = route(rule(backend(weight=300), backend("old", 100), backend("spare", 0)))
    at_one = live(1, found)
    assert weights(at_one) == [
        [("checkout", 297), ("checkout-canary", 3), ("old", 100), ("spare", 0)]
    ]
    assert observe(at_one).weight == 1
    assert observe(at_one).intact


def test_a_spare_backend_without_weight_counts_for_nothing() -> None:
    found = live(50, route(rule(backend(), backend("spare", 0))))
    assert weights(found) == [[("checkout", 50), ("checkout-canary", 50), ("spare", 0)]]


@pytest.mark.parametrize(
    ("beside", "weight"),
    [([], 1), ([], None), ([], 300), ([backend("old", 700)], 300)],
    ids=["1", "no weight", "300", "300 beside others"],
)
@pytest.mark.parametrize("listed", [False, True], ids=["ours", "listed"])
@pytest.mark.parametrize(
    ("percent", "taken"), [(100, 0), (100, 1), (0, 1), (0, 0), (50, 0), (1, 0)]
)
def test_an_arm_that_somebody_takes_out_is_put_back(
    beside: list[JSON], weight: int | None, listed: bool, percent: int, taken: int
) -> None:
    """Whichever it is: requests never go to nobody, and in the end all is as it was before the release."""
    theirs = [backend("checkout-canary", 0)] if listed else []
    before = route(rule(backend(weight=weight), *theirs, *beside))
    found = after(live(100, before), render(live(100, before), Split(percent)))
    names = ("checkout", "checkout-canary")
    whole = weights(found)
    refs = found["web"]["spec"]["rules"][0]["backendRefs"]
    refs[:] = [each for each in refs if each["name"] != names[taken]]
    missing = copy.deepcopy(found)

    put_back = after(found, render(found, Split(percent)))
    if (percent, taken) not in ((100, 0), (0, 1)):  # those of weight 0 need not be there
        assert not observe(missing).intact or observe(missing).weight != percent
        assert dict(weights(put_back)[0]) == dict(whole[0])
    assert observe(put_back).weight == percent
    assert not observe(put_back).findings

    for each in (missing, put_back):
        back = after(each, render(each, Split(0)))
        assert observe(back).highest == 0
        assert any(weight != 0 for name, weight in weights(back)[0] if name != names[1])
        cleared = after(back, GatewayRouter().clear(context(back)))
        given = dict(weights(cleared)[0])
        assert given["checkout"] != 0
        assert given.get("checkout-canary", 0) == 0
        assert not observe(cleared).exists


@pytest.mark.parametrize("percent", [100, 1])
@pytest.mark.parametrize("place", [0, 1])
def test_a_rule_of_the_user_s_that_leads_to_the_canary_alone_stays_as_it_is(
    percent: int, place: int
) -> None:
    testers, rules = rule(backend("checkout-canary"), path="/testers"), [rule()]
    rules.insert(place, testers)
    found = live(percent, route(*rules))
    assert found["web"]["spec"]["rules"][place] == testers
    del found["web"]["spec"]["rules"][1 - place]["backendRefs"][0]
    assert observe(found).highest == 100
    back = after(found, render(found, Split(25)))
    assert weights(back)[1 - place] == [("checkout", 75), ("checkout-canary", 25)]
    assert back["web"]["spec"]["rules"][place] == testers


def test_who_leaves_only_such_a_rule_has_it_as_it_is() -> None:
    testers = rule(backend("checkout-canary"), path="/testers")
    found = live(1, route(rule(), testers))
    del found["web"]["spec"]["rules"][0]
    assert after(found, render(found, Split(25)))["web"]["spec"]["rules"] == [testers]


def test_several_routes_say_one_weight_or_none() -> None:
    obj = rollout("web", "api")
    found = live(25, route() | route(name="api"), obj)
    assert observe(found, obj).weight == 25
    found["api"]["spec"]["rules"][0]["backendRefs"][0]["weight"] = 60
    found["api"]["spec"]["rules"][0]["backendRefs"][1]["weight"] = 40
    seen = observe(found, obj)
    assert (seen.weight, seen.highest, seen.intact) == (None, 40, True)


def test_a_grpc_route_is_split_in_the_same_way() -> None:
    obj = rollout(grpcRoutes=["rpc"])
    found = route({"backendRefs": [backend()]}, name="rpc", kind=GRPC_ROUTE)
    (change,) = GatewayRouter().render(context({}, obj, grpc=found), Split(25))
    assert change.ref == Ref(GRPC_ROUTE, "shop", "rpc")  # type: ignore[union-attr]
    seen = observe({}, obj, grpc=after(found, [change]))
    assert seen == Route(exists=True, weight=25, highest=25)


def unconfirmed(percent: int, found: Routes | None = None) -> Routes:
    before = found or live(50)
    return after(before, render(before, Split(percent)), accept=False)


def test_a_weight_counts_once_it_is_accepted_and_until_then_the_canary_may_have_some() -> None:
    seen = observe(unconfirmed(25))
    assert (seen.weight, seen.highest) == (None, 25)
    assert seen.written == {25}
    seen = observe(unconfirmed(0))
    assert (seen.weight, seen.highest, seen.intact) == (None, 1, True)
    assert (seen.is_cut, observe(unconfirmed(25)).is_cut, observe(live(0)).is_cut) == (
        True,
        False,
        False,
    )
    assert render(unconfirmed(0), Split(0, cut_off=True)) == []


def test_a_parent_that_is_late_or_refuses_is_waited_for_as_long_as_it_is_late() -> None:
    late = unconfirmed(0)
    generation = late["web"]["metadata"]["generation"]
    says = f"Gateway edge has not confirmed generation {generation} of HTTPRoute web yet"
    assert observe(late).unconfirmed == (says,)
    late["web"] = accepted(late["web"], "False", ["ResolvedRefs"])
    refused = observe(late)
    assert (refused.weight, refused.highest, refused.unconfirmed) == (0, 0, ())
    assert [each.reason for each in refused.findings] == ["RouteRefsNotResolved"]


def test_a_parent_that_is_named_no_longer_says_nothing() -> None:
    """Some controllers leave its entry behind."""
    found = live(25)
    left = copy.deepcopy(found["web"]["status"]["parents"][0])
    left["parentRef"]["name"] = "old"
    left["conditions"][0]["status"] = "False"
    found["web"]["status"]["parents"].append(left)
    assert observe(found) == Route(exists=True, weight=25, highest=25)


def test_all_controllers_of_a_parent_count() -> None:
    found = live(25)
    other = copy.deepcopy(found["web"]["status"]["parents"][0])
    other["controllerName"] = "other.test/gateway"
    other["conditions"].pop()
    found["web"]["status"]["parents"].append(other)
    assert observe(found).weight is None


def changed(part: str) -> Routes:
    found = live(25)
    refs = found["web"]["spec"]["rules"][0]["backendRefs"]
    match part:
        case "port":
            refs[1]["port"] = 81
        case "weights":
            refs[0]["weight"] = 200
        case "gone":
            refs.pop()
        case "note":
            found["web"]["metadata"]["annotations"][NOTE] = '[{"stable":7}, 1]'
    return found


@pytest.mark.parametrize("part", ["port", "weights", "gone", "note"])
def test_a_change_by_somebody_else_is_noticed_and_put_back(part: str) -> None:
    found = changed(part)
    assert not observe(found).intact
    assert weights(after(found, render(found, Split(25)))) == weights(live(25))
    assert observe(after(found, render(found, Split(25)))).intact


def test_a_route_that_somebody_wrote_anew_begins_anew() -> None:
    found = live(25)
    found["web"]["spec"]["rules"] = [rule(backend(weight=5))]
    again = live(25, found)
    assert again["web"]["metadata"]["annotations"][NOTE] == '[{"stable":5}]'
    assert weights(after(again, GatewayRouter().clear(context(again)))) == [[("checkout", 5)]]


def test_a_route_that_is_named_no_longer_is_given_back() -> None:
    obj = rollout("api")
    found = live(25) | route(name="api")
    seen = observe(found, obj)
    assert (seen.exists, seen.highest) == (True, 25)
    assert after(found, render(found, Split(0), obj))["web"]["spec"] == route()["web"]["spec"]
    assert (
        after(found, GatewayRouter().clear(context(found, obj)))["web"]["spec"]
        == route()["web"]["spec"]
    )


def test_weights_by_hand_are_ended_when_settled() -> None:
    found = route(rule(backend(weight=90), backend("checkout-canary", 10)))
    assert observe(found) == Route(exists=True, weight=10, highest=10, intact=True)
    assert weights(after(found, GatewayRouter().clear(context(found)))) == [
        [("checkout", 100), ("checkout-canary", 0)]
    ]


@pytest.mark.parametrize("note", ["", "no", "{}", '["x"]', '[{"stable":"1"}]', "[null]"])
def test_a_note_that_is_none_is_survived(note: str) -> None:
    found = live(25)
    found["web"]["metadata"]["annotations"][NOTE] = note
    assert observe(found).weight == 25
    assert weights(after(found, GatewayRouter().clear(context(found)))) == [
        [("checkout", 100), ("checkout-canary", 0)]
    ]


STABLE = st.builds(backend, weight=st.one_of(st.none(), st.integers(0, 1000)))
OTHERS = st.lists(
    st.builds(backend, st.sampled_from(["cart", "old"]), st.integers(0, 50)), max_size=2
)
OURS = st.builds(
    lambda stable, others, path: rule(stable, *others, path=path, timeouts={"request": "1s"}),
    st.one_of(STABLE, st.builds(backend, weight=st.integers(100, 1000))),
    OTHERS,
    st.sampled_from(["/", "/pay"]),
)
THEIRS = st.builds(lambda others: rule(*others, backend("cart")), OTHERS)
RULES = st.lists(st.one_of(OURS, THEIRS), min_size=1, max_size=4)


def can_be_split(routes: Routes) -> bool:
    return not any(each.reason == "WeightsTooSmall" for each in observe(routes).findings)


@given(RULES, st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_any_route_says_any_weight_and_is_the_same_afterwards(
    rules: list[JSON], percents: list[int]
) -> None:
    before = route(*rules)
    found = before
    for percent in percents:
        found = after(found, render(found, Split(percent)))
        if not can_be_split(before) or "NoRuleForService" in str(observe(before).findings):
            continue
        seen = observe(found)
        assert (seen.weight, seen.intact, seen.routes_match) == (percent, True, True)
        assert render(found, Split(percent)) == []
    assert observe(after(found, render(found, Split(cut_off=True)))).highest == 0
    found = after(found, GatewayRouter().clear(context(found)))
    assert found["web"]["spec"] == before["web"]["spec"]
    assert found["web"]["metadata"]["annotations"] == before["web"]["metadata"]["annotations"]
    assert GatewayRouter().clear(context(found)) == []


@pytest.mark.parametrize("kind", [HTTP_ROUTE, GRPC_ROUTE])
def test_the_originals_take_it(kind: Any) -> None:
    crd = upstream.definition(f"gateway-api-{kind.plural}.yaml")
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}] if kind == HTTP_ROUTE else [{}]
    found = route({"matches": matches, "backendRefs": [backend()]}, kind=kind)
    obj = rollout(**{f"{kind.plural[:4]}Routes": ["web"]})
    place = {"grpc": found} if kind == GRPC_ROUTE else {}
    writes = GatewayRouter().render(
        context(found if kind == HTTP_ROUTE else {}, obj, **place), Split(25)
    )
    (body,) = after(found, writes).values()
    del body["status"]
    assert upstream.schema_errors(crd, body) == []
