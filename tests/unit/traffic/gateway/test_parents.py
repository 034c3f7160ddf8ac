"""Whose answer a weight waits for: of those who serve a route, and can tell."""

import copy
from typing import Any

import pytest

from rollouts.model.header_and_mirror_routes import SetHeaderRoute
from rollouts.model.kinds import JSON
from rollouts.model.route import Route, Split
from rollouts.traffic.gateway.router import GatewayRouter
from tests.unit.traffic.routes import (
    OWN,
    Routes,
    accepted,
    after,
    backend,
    context,
    live,
    observe,
    render,
    route,
    rule,
)

MESH: JSON = {"kind": "Service", "group": "core", "name": "checkout"}
HEADER = SetHeaderRoute.model_validate(
    {"name": "beta", "match": [{"headerName": "X-Beta", "headerValue": {"exact": "yes"}}]}
)


def serving(*parents: JSON) -> Routes:
    """Return the route at 25 % under these parents, of which the Gateway edge alone has answered."""
    found = live(25)
    found["web"]["spec"]["parentRefs"] = [{"name": "edge"}, *parents]
    return found


def without_generation(body: JSON, told: Any = None) -> JSON:
    """Return the route with what its parents say of it, but of no generation; or of `told`."""
    for parent in body["status"]["parents"]:
        for each in parent["conditions"]:
            each.pop("observedGeneration", None)
            each.update({} if told is None else {"observedGeneration": told})
    return body


def mesh(percent: int, status: str = "True", told: Any = None) -> Routes:
    """Return a route at this weight in a mesh whose controller never tells a generation."""
    found = route(parentRefs=[MESH])
    without_generation(found["web"], told)
    found = after(found, render(found, Split(25)), accept=False)
    found = after(found, render(found, Split(percent)), accept=False)
    found["web"] = without_generation(accepted(found["web"], status), told)
    return found


def reasons(seen: Route) -> list[tuple[str, bool]]:
    return [(each.reason, each.is_blocking) for each in seen.findings]


def test_every_parent_that_has_ever_answered_is_waited_for() -> None:
    found = serving({"name": "other"})
    found["web"] = accepted(found["web"])
    late = after(found, render(found, Split(50)), accept=False)
    early = accepted(late["web"])["status"]["parents"][0]
    late["web"]["status"]["parents"][0] = early
    assert observe(late).weight is None
    (said,) = observe(late).unconfirmed
    assert said.startswith("Gateway other has not confirmed generation")
    late["web"] = accepted(late["web"])
    assert observe(late).weight == 50


def test_a_parent_that_never_said_anything_does_not_serve_the_route_where_another_does() -> None:
    seen = observe(serving({"name": "mesh", "sectionName": "http"}))
    assert (seen.weight, seen.highest, seen.unconfirmed) == (25, 25, ())
    assert reasons(seen) == [("ParentStatusMissing", False)]
    text = seen.findings[0].message
    assert text.startswith("Gateway mesh (http) says nothing of HTTPRoute web; see that")


def test_a_route_of_which_nobody_says_anything_has_no_weight_forward_and_is_at_0_back() -> None:
    found = live(25)
    found["web"]["spec"]["parentRefs"] = [{"name": "edge", "sectionName": "https"}]
    seen = observe(found)
    assert (seen.weight, seen.highest, reasons(seen)) == (
        None,
        25,
        [("ParentStatusMissing", False)],
    )
    assert seen.unconfirmed == (seen.findings[0].message,)
    found = after(found, render(found, Split(0, cut_off=True)), accept=False)
    assert (observe(found).weight, observe(found).highest) == (0, 0)


@pytest.mark.parametrize("told", [None, 0])
def test_a_parent_that_never_tells_a_generation_is_taken_at_its_word(told: Any) -> None:
    assert (observe(mesh(50, told=told)).weight, observe(mesh(50, told=told)).unconfirmed) == (
        50,
        (),
    )
    back = observe(mesh(0, told=told))
    assert (back.weight, back.highest, back.is_cut) == (0, 0, False)
    assert GatewayRouter().clear(context(mesh(0, told=told))) != []


def test_such_a_parent_is_told_before_a_release() -> None:
    found = route(parentRefs=[MESH])
    without_generation(found["web"])
    seen = observe(found)
    assert reasons(seen) == [("ParentWithoutGeneration", False)]
    assert seen.findings[0].message.startswith("Service checkout does not tell which generation")
    assert observe(route()).findings == ()


def test_of_a_route_that_is_only_a_file_yet_no_answers_are_missed() -> None:
    found = route()
    del found["web"]["metadata"]["uid"], found["web"]["status"]
    assert observe(found).findings == ()


def test_a_refusal_without_a_generation_is_a_refusal() -> None:
    seen = observe(mesh(50, "False"))
    assert seen.weight is None
    assert [each.reason for each in seen.blockers] == ["RouteNotAccepted"]


@pytest.mark.parametrize(("written", "told"), [("core", ""), ("", "core"), ("core", "core")])
def test_the_core_group_has_two_names(written: str, told: str) -> None:
    found = serving()
    found["web"]["spec"]["parentRefs"] = [MESH | {"group": written}]
    found["web"] = accepted(found["web"])
    found["web"]["status"]["parents"][0]["parentRef"]["group"] = told
    assert observe(found) == Route(exists=True, weight=25, highest=25)


def test_a_backend_of_group_core_is_a_service() -> None:
    found = live(25, route(rule(backend(group="core"), backend("old", 100, group="other"))))
    assert observe(found).findings[0].reason == "WeightsTooSmall"
    found = live(25, route(rule(backend(group="core"))))
    names = [each["name"] for each in found["web"]["spec"]["rules"][0]["backendRefs"]]
    assert names == ["checkout", "checkout-canary"]


def test_our_own_route_waits_for_those_who_serve_the_user_s() -> None:
    split = Split(25, headers=(HEADER,))
    found = serving({"name": "other"}, {"name": "silent"})
    found["web"] = accepted(found["web"])
    found["web"]["status"]["parents"].pop()
    found = after(found, render(found, split))
    for body in found.values():
        body["status"]["parents"] = [
            each for each in body["status"]["parents"] if each["parentRef"]["name"] != "silent"
        ]
    assert observe(found, wanted=split).routes_match
    one = copy.deepcopy(found)
    one[OWN]["status"]["parents"].pop()
    assert not observe(one, wanted=split).routes_match
    one[OWN]["status"] = {}
    assert not observe(one, wanted=split).routes_match
