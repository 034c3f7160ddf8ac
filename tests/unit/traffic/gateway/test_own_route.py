"""Our own route beside the user's: header routes and mirrors, as narrow as they are asked for."""

import copy
from typing import Any

import pytest

from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute
from rollouts.model.kinds import JSON, Ref
from rollouts.model.route import Keep, Remove, Split
from rollouts.model.routers.gateway import GRPC_ROUTE, HTTP_ROUTE
from rollouts.traffic.gateway.router import GatewayRouter
from tests.unit.traffic import upstream
from tests.unit.traffic.routes import (
    OWN,
    Routes,
    accepted,
    after,
    backend,
    context,
    observe,
    render,
    rollout,
    route,
    rule,
)

CANARY = backend("checkout-canary")


def header(name: str = "beta", header: str = "X-Beta", **value: str) -> SetHeaderRoute:
    match = {"headerName": header, "headerValue": value or {"exact": "yes"}}
    return SetHeaderRoute.model_validate({"name": name, "match": [match]})


def mirror(*match: Any, percentage: int | None = None) -> SetMirrorRoute:
    share = {} if percentage is None else {"percentage": percentage}
    return SetMirrorRoute.model_validate({"name": "shadow", "match": list(match), **share})


BETA = Split(5, headers=(header(),))
SHADOW = Split(5, mirrors=(mirror(percentage=20),))
SOME = Split(5, mirrors=(mirror({"headers": {"X-Copy": {"prefix": "y"}}}, percentage=20),))


def own_rules(routes: Routes) -> list[JSON]:
    found: list[JSON] = routes[OWN]["spec"]["rules"]
    return found


def live(split: Split, found: Routes | None = None) -> Routes:
    found = found or route()
    return after(found, render(found, split))


def test_a_header_route_is_a_route_of_our_own() -> None:
    filters = [{"type": "RequestHeaderModifier"}]
    found = route(
        rule(path="/pay", filters=filters, name="pay"),
        rule(backend("cart"), path="/cart"),
        hostnames=["shop.test"],
    )
    _, keep = render(found, BETA)
    assert isinstance(keep, Keep)
    assert keep.kind == HTTP_ROUTE
    assert keep.body["metadata"]["name"] == OWN
    assert keep.body["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    assert keep.body["spec"] == {
        "parentRefs": [{"name": "edge"}],
        "hostnames": ["shop.test"],
        "rules": [
            {
                "matches": [
                    {
                        "path": {"type": "PathPrefix", "value": "/pay"},
                        "headers": [{"type": "Exact", "name": "X-Beta", "value": "yes"}],
                    }
                ],
                "name": "pay",
                "filters": filters,
                "backendRefs": [CANARY],
            }
        ],
    }


def test_it_has_what_policies_and_plugins_of_the_user_s_route_go_by() -> None:
    found = route(name="web")
    found["web"]["metadata"] |= {
        "labels": {
            "app": "web",
            "app.kubernetes.io/managed-by": "Helm",
            "rollouts.dev/managed-by": "x",
        },
        "annotations": {
            "konghq.com/plugins": "key-auth",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "argocd.argoproj.io/tracking-id": "shop",
        },
    }
    found = live(BETA, found)
    metadata = found[OWN]["metadata"]
    assert metadata["labels"] == {"app": "web", "rollouts.dev/managed-by": "checkout"}
    assert metadata["annotations"] == {"konghq.com/plugins": "key-auth"}
    assert observe(found, wanted=BETA).routes_match
    found["web"]["metadata"]["labels"]["tier"] = "shop"
    assert not observe(found, wanted=BETA).routes_match, "a change of the user's is followed"
    found = after(found, render(found, BETA))
    assert observe(found, wanted=BETA).routes_match


def test_rules_that_are_made_of_one_have_names_of_their_own() -> None:
    prefix = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    rewrite = [{"type": "URLRewrite", "urlRewrite": prefix}]
    both = Split(5, headers=(header(), header("qa", "X-QA")))
    named = rule(filters=rewrite, name="pay")
    names = [each.get("name") for each in own_rules(live(both, route(named, rule(path="/x"))))]
    assert names == ["pay", "pay-2", None]
    long = rule(filters=rewrite, name="p" * 252)
    assert [len(each.get("name", "")) for each in own_rules(live(both, route(long)))] == [252, 0]


@pytest.mark.parametrize(
    ("value", "text"), [({"prefix": "v1.2"}, r"^v1\.2.*"), ({"regex": "a|b"}, "^(?:a|b)$")]
)
def test_a_prefix_is_a_pattern_and_patterns_have_anchors(value: Any, text: str) -> None:
    found = live(Split(5, headers=(header(**value),)))
    (match,) = own_rules(found)[0]["matches"]
    assert match["headers"] == [{"type": "RegularExpression", "name": "X-Beta", "value": text}]


def test_several_header_routes_hold_together() -> None:
    found = live(Split(5, headers=(header(), header("qa", "X-QA"))))
    assert [each["headers"][0]["name"] for each in own_rules(found)[0]["matches"]] == [
        "X-Beta",
        "X-QA",
    ]


def test_what_is_seen_of_a_header_route() -> None:
    seen = observe(live(BETA), wanted=BETA)
    assert (seen.exists, seen.weight, seen.highest) == (True, 5, 5)
    assert (seen.intact, seen.routes_match, seen.findings) == (True, True, ())
    assert not observe(live(Split(5)), wanted=BETA).routes_match
    assert not observe(live(BETA)).routes_match
    assert not observe(route(), wanted=BETA).routes_match
    assert observe(live(Split(0, headers=BETA.headers))).highest == 1


def test_a_header_route_counts_once_it_is_accepted() -> None:
    found = live(BETA)
    del found[OWN]["status"]
    assert not observe(found, wanted=BETA).routes_match
    found[OWN] = accepted(found[OWN], "False", ["ResolvedRefs"])
    seen = observe(found, wanted=BETA)
    assert not seen.routes_match
    assert [each.reason for each in seen.blockers] == ["RouteRefsNotResolved"]


def test_defaults_of_an_api_server_are_nobody_s_change_but_others_are() -> None:
    found = live(BETA)
    found[OWN]["spec"]["rules"][0]["timeouts"] = {"request": "1s"}
    assert observe(found, wanted=BETA).routes_match
    found[OWN]["spec"]["rules"][0]["backendRefs"][0]["name"] = "other"
    assert not observe(found, wanted=BETA).routes_match


@pytest.mark.parametrize("split", [Split(5), Split(0, cut_off=True), Split(0)])
def test_it_goes_with_the_header_route(split: Split) -> None:
    removal = Remove(Ref(HTTP_ROUTE, "shop", OWN), f"uid-{OWN}")
    assert render(live(BETA), split)[-1] == removal
    assert GatewayRouter().clear(context(live(BETA)))[-1] == removal


def test_one_of_that_name_that_is_not_ours_is_left_alone() -> None:
    step = {"setHeaderRoute": BETA.headers[0].model_dump(by_alias=True, exclude_none=True)}
    found = live(Split(5)) | route(rule(backend("cart")), name=OWN)
    obj = rollout(steps=[step])
    assert render(found, BETA, obj) == []
    seen = observe(found, obj, BETA)
    assert (seen.routes_match, [each.reason for each in seen.blockers]) == (
        False,
        ["CanaryRouteNotOurs"],
    )


def test_a_mirror_of_all_requests_is_a_filter_of_the_users_rules() -> None:
    filters = [{"type": "RequestHeaderModifier"}]
    found = route(rule(filters=filters), rule(backend("cart")))
    ours = {
        "type": "RequestMirror",
        "requestMirror": {
            "backendRef": {"group": "", "kind": "Service", "name": "checkout-canary", "port": 80},
            "percent": 20,
        },
    }
    with_mirror = live(SHADOW, found)
    rules = with_mirror["web"]["spec"]["rules"]
    assert rules[0]["filters"] == [*filters, ours]
    assert "filters" not in rules[1]
    seen = observe(with_mirror, wanted=SHADOW)
    assert (seen.routes_match, seen.intact, seen.weight) == (True, True, 5)
    assert not observe(with_mirror).routes_match
    assert not observe(live(Split(5)), wanted=SHADOW).routes_match
    cleared = after(with_mirror, GatewayRouter().clear(context(with_mirror)))
    assert cleared["web"]["spec"] == found["web"]["spec"]


def test_a_mirror_reaches_the_canary_at_weight_0_until_it_is_cut_off() -> None:
    found = live(Split(0, mirrors=(mirror(percentage=100),)))
    (filter_,) = found["web"]["spec"]["rules"][0]["filters"]
    assert "percent" not in filter_["requestMirror"]
    seen = observe(found)
    assert (seen.exists, seen.weight, seen.highest) == (True, 0, 1)
    off = after(found, render(found, Split(cut_off=True)))
    assert off["web"]["spec"] == route()["web"]["spec"]


def test_a_mirror_of_others_stays() -> None:
    theirs = {"type": "RequestMirror", "requestMirror": {"backendRef": backend("audit", None)}}
    found = live(SHADOW, route(rule(filters=[theirs])))
    assert found["web"]["spec"]["rules"][0]["filters"][0] == theirs
    cleared = after(found, GatewayRouter().clear(context(found)))
    assert cleared["web"]["spec"]["rules"][0]["filters"] == [theirs]


def test_a_mirror_of_some_requests_is_in_our_own_route_with_the_weight_of_all() -> None:
    found = live(SOME)
    assert "filters" not in found["web"]["spec"]["rules"][0]
    (copying,) = own_rules(found)
    value = {"type": "RegularExpression", "name": "X-Copy", "value": "^y.*"}
    assert copying["matches"][0]["headers"] == [value]
    assert copying["filters"][0]["requestMirror"]["percent"] == 20
    assert [ref["weight"] for ref in copying["backendRefs"]] == [95, 5]
    seen = observe(found, wanted=SOME)
    assert (seen.weight, seen.highest, seen.routes_match) == (5, 5, True)
    more = after(found, render(found, Split(50, mirrors=SOME.mirrors)))
    assert [ref["weight"] for ref in own_rules(more)[0]["backendRefs"]] == [50, 50]
    assert observe(more, wanted=SOME).routes_match


def test_a_header_route_is_not_mirrored_to_where_it_goes() -> None:
    found = live(Split(5, BETA.headers, SHADOW.mirrors))
    assert "filters" not in own_rules(found)[0]


def test_a_grpc_route_gets_a_grpc_route() -> None:
    obj = rollout(grpcRoutes=["web"])
    found = route({"backendRefs": [backend()]}, kind=GRPC_ROUTE)
    _, keep = GatewayRouter().render(context({}, obj, grpc=found), BETA)
    assert isinstance(keep, Keep)
    assert (keep.kind, keep.body["kind"]) == (GRPC_ROUTE, "GRPCRoute")
    (match,) = keep.body["spec"]["rules"][0]["matches"]
    assert list(match) == ["headers"]


def many(count: int) -> Routes:
    """Return a route of one rule with so many matches."""
    matches = [{"path": {"type": "Exact", "value": f"/{number}"}} for number in range(count)]
    return route({"matches": matches, "backendRefs": [backend()]})


def stepping(*steps: Any) -> JSON:
    return rollout(steps=list(steps))


HEADER = {"name": "beta", "match": [{"headerName": "X-Beta", "headerValue": {"exact": "yes"}}]}
PATH = {"name": "shadow", "match": [{"path": {"prefix": "/v1"}}]}


def test_matches_are_spread_over_rules_and_too_many_are_told() -> None:
    two = Split(5, headers=(header(), header("qa", "X-QA")))
    found = live(two, many(40))
    assert [len(each["matches"]) for each in own_rules(found)] == [64, 16]
    six = Split(5, headers=tuple(header(str(n), f"X-{n}") for n in range(6)))
    assert OWN not in live(six, many(40))
    assert not observe(live(six, many(40)), wanted=six).routes_match


REWRITE = {
    "type": "URLRewrite",
    "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
}


def test_a_rule_that_rewrites_its_prefix_keeps_one_match_for_each() -> None:
    found = live(Split(5, headers=(header(), header("qa", "X-QA"))), route(rule(filters=[REWRITE])))
    assert [len(each["matches"]) for each in own_rules(found)] == [1, 1]


@pytest.mark.parametrize(
    ("step", "rules", "words"),
    [
        ({"setMirrorRoute": PATH}, [rule(filters=[REWRITE])], "replaces the prefix"),
        (
            {"setHeaderRoute": HEADER},
            [
                rule()
                | {
                    "matches": [
                        {"headers": [{"type": "RegularExpression", "name": "x-beta", "value": "y"}]}
                    ]
                }
            ],
            "matches the header X-Beta already",
        ),
    ],
)
def test_what_no_route_can_say_is_told_before(step: Any, rules: Any, words: str) -> None:
    (finding,) = observe(route(*rules), stepping(step)).blockers
    assert finding.reason == "RouteNotPossible"
    assert words in finding.message


@pytest.mark.parametrize("split", [BETA, SHADOW, SOME, Split(5, BETA.headers, SOME.mirrors)])
@pytest.mark.parametrize("kind", [HTTP_ROUTE, GRPC_ROUTE])
def test_the_originals_take_it(split: Split, kind: Any) -> None:
    crd = upstream.definition(f"gateway-api-{kind.plural}.yaml")
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}] if kind == HTTP_ROUTE else [{}]
    found = route({"matches": matches, "backendRefs": [backend()]}, kind=kind)
    obj = rollout(**{f"{kind.plural[:4]}Routes": ["web"]})
    of_grpc = {"grpc": found} if kind == GRPC_ROUTE else {}
    writes = GatewayRouter().render(context({} if of_grpc else found, obj, **of_grpc), split)
    for body in copy.deepcopy(after(found, writes)).values():
        del body["status"]
        assert upstream.schema_errors(crd, body) == []
