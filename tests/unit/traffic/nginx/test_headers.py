"""Header routes in canary annotations: what is written, what is seen, and what ingress-nginx refuses."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.model.header_and_mirror_routes import HeaderMatch, SetHeaderRoute, StringMatch
from rollouts.model.kinds import JSON, Ref
from rollouts.model.route import Change, Split
from rollouts.model.routers.nginx import INGRESS
from rollouts.traffic.nginx.headers import header_annotations
from rollouts.traffic.nginx.router import NginxRouter
from tests.unit.traffic.ingresses import (
    CANARY,
    PREFIX,
    Ingresses,
    context,
    ingress,
    observe,
    render,
    rollout,
    stored,
)


def header(name: str = "beta", header: str = "X-Beta", **value: str) -> SetHeaderRoute:
    match = HeaderMatch(header_name=header, header_value=StringMatch(**(value or {"exact": "yes"})))
    return SetHeaderRoute(name=name, match=[match])


def stepping(*routes: JSON, **routing: Any) -> JSON:
    """Return a Rollout with these setHeaderRoute steps."""
    obj = rollout(**routing)
    obj["spec"]["strategy"]["canary"]["steps"] = [{"setHeaderRoute": each} for each in routes]
    return obj


BETA = {
    "name": "beta",
    "match": [{"headerName": "X-Beta", "headerValue": {"exact": "yes"}}],
}


def live(percent: int = 5, **how: Any) -> Ingresses:
    found = ingress()
    return found | stored(render(found, percent, **how))


@pytest.mark.parametrize(
    ("value", "key", "text"),
    [
        ({"exact": "yes"}, "value", "yes"),
        ({"exact": "a.b/c:d_e~f-g"}, "value", "a.b/c:d_e~f-g"),
        ({"exact": "a, b"}, "pattern", r"^a\x2C\x20b$"),
        ({"exact": "a+b="}, "pattern", r"^a\+b=$"),
        ({"prefix": "v1.2"}, "pattern", r"^v1\.2.*"),
        ({"prefix": "ü"}, "pattern", r"^\xC3\xBC.*"),
        ({"regex": "a|b"}, "pattern", "^(?:a|b)$"),
    ],
)
def test_a_header_route_is_two_annotations(value: Any, key: str, text: str) -> None:
    (canary,) = render(ingress(), headers=(header(**value),))
    assert canary["metadata"]["annotations"] == {
        f"{PREFIX}/canary": "true",
        f"{PREFIX}/canary-weight": "5",
        f"{PREFIX}/canary-by-header": "X-Beta",
        f"{PREFIX}/canary-by-header-{key}": text,
    }


@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=1))
def test_any_exact_value_or_prefix_is_written_in_characters_that_are_taken(text: str) -> None:
    for how in ("exact", "prefix"):
        found = header_annotations((header(**{how: text}),))
        plain = found.get("canary-by-header-value")
        if plain is not None:
            assert plain == text
            assert re.fullmatch(r"[-._~a-zA-Z0-9/:]+", plain)
            continue
        pattern = found["canary-by-header-pattern"]
        assert re.fullmatch(r"[-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]+", pattern)
        assert re.search(pattern.encode(), text.encode())
        other = b"x" + text.encode()
        begins = how == "prefix" and other.startswith(text.encode())  # as "xx" does with "x"
        assert bool(re.search(pattern.encode(), other)) is begins
        assert bool(re.search(pattern.encode(), text.encode() + b"x")) is (how == "prefix")


def test_a_header_route_reaches_the_canary_whatever_the_weight() -> None:
    wanted = Split(0, (header(),))
    seen = observe(live(0, headers=(header(),)), wanted=wanted)
    assert (seen.weight, seen.highest, seen.intact, seen.routes_match) == (0, 1, True, True)


def test_a_header_route_is_there_only_when_it_is_the_one_that_was_asked_for() -> None:
    wanted = Split(5, (header(),))
    assert not observe(live(), wanted=wanted).routes_match
    assert observe(live(), wanted=wanted).intact
    assert not observe(ingress(), wanted=wanted).routes_match
    other = live(headers=(header(exact="no"),))
    assert not observe(other, wanted=wanted).routes_match
    assert observe(ingress()).routes_match
    assert not observe(other).routes_match


def test_a_route_of_another_step_is_ours_and_anything_else_is_somebody_s_change() -> None:
    found = live(headers=(header(),))
    assert observe(found, stepping(BETA)).intact
    found[CANARY]["metadata"]["annotations"][f"{PREFIX}/canary-by-header-value"] = "everybody"
    seen = observe(found, stepping(BETA), Split(5, (header(),)))
    assert (seen.intact, seen.routes_match, seen.highest) == (False, False, 5)


def test_all_ingresses_have_to_have_it() -> None:
    obj = rollout(("web", "api"))
    found = ingress() | ingress(name="api")
    found |= stored(render(found, headers=(header(),), obj=obj))
    wanted = Split(5, (header(),))
    assert observe(found, obj, wanted).routes_match
    del found["api-checkout-canary"]["metadata"]["annotations"][f"{PREFIX}/canary-by-header"]
    assert not observe(found, obj, wanted).routes_match


def test_cut_off_ends_it() -> None:
    seen = observe(live(0, headers=(header(),), cut_off=True))
    assert (seen.highest, seen.intact, seen.routes_match) == (0, True, True)


def test_the_users_own_header_annotations_go_with_none_of_ours() -> None:
    obj = rollout(canaryIngressAnnotations={"canary-by-cookie": "beta"})
    wanted = Split(5, (header(),))
    found = ingress() | stored(render(ingress(), headers=(header(),), obj=obj))
    annotations = found[CANARY]["metadata"]["annotations"]
    assert annotations[f"{PREFIX}/canary-by-cookie"] == "beta"
    assert observe(found, obj, wanted).routes_match
    plain = ingress() | stored(render(ingress(), obj=obj))
    assert observe(plain, obj).routes_match
    assert observe(plain, obj).highest == 5


def test_what_a_server_side_apply_would_leave_is_taken_away_expressly() -> None:
    """Somebody else wrote it, and so owns it."""
    found = live()
    found[CANARY]["metadata"]["annotations"][f"{PREFIX}/canary-by-header"] = "X-All"
    assert not observe(found).intact
    keep, change = NginxRouter().render(context(found), Split(0))
    assert keep.body["metadata"]["name"] == CANARY  # type: ignore[union-attr]
    taken = {"metadata": {"annotations": {f"{PREFIX}/canary-by-header": None}}}
    assert change == Change(Ref(INGRESS, "shop", CANARY), taken)


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"headerName": "X-Beta", "headerValue": {"regex": "a{1,2}"}}, "the regex has ','"),
        ({"headerName": "X!Beta", "headerValue": {"exact": "yes"}}, "the name X!Beta has"),
    ],
)
def test_what_ingress_nginx_would_refuse_is_told_before(match: JSON, words: str) -> None:
    (finding,) = observe(ingress(), stepping({"name": "beta", "match": [match]})).findings
    assert (finding.reason, finding.is_blocking) == ("HeaderRouteRefused", False)
    assert words in finding.message


def test_a_header_route_that_is_good_is_no_problem() -> None:
    assert observe(ingress(), stepping(BETA)).findings == ()
