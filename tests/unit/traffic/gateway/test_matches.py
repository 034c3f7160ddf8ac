"""Two matches as one: narrower than both, or nothing, or told to be impossible."""

from typing import Any

import pytest

from rollouts.model.header_and_mirror_routes import HeaderMatch, RequestMatch, StringMatch
from rollouts.traffic.gateway.matches import Inexpressible, narrowed_to, with_headers


def path(value: str, kind: str = "PathPrefix") -> dict[str, Any]:
    return {"path": {"type": kind, "value": value}}


def headers(**values: str) -> list[HeaderMatch]:
    return [
        HeaderMatch(header_name=name, header_value=StringMatch(exact=value))
        for name, value in values.items()
    ]


def exactly(name: str, value: str) -> dict[str, str]:
    return {"type": "Exact", "name": name, "value": value}


@pytest.mark.parametrize(
    ("present", "found"),
    [
        ([], [exactly("A", "1")]),
        ([exactly("B", "2")], [exactly("B", "2"), exactly("A", "1")]),
        ([exactly("a", "1")], [exactly("a", "1")]),
        ([{"name": "a", "value": "1"}], [{"name": "a", "value": "1"}]),
        ([exactly("a", "2")], None),
    ],
)
def test_a_header_counts_once_whatever_its_case(present: Any, found: Any) -> None:
    match = with_headers({"headers": present, "method": "GET"}, headers(A="1"))
    assert match == (None if found is None else {"headers": found, "method": "GET"})


def test_a_header_that_is_asked_for_in_two_ways_is_impossible() -> None:
    pattern = {"type": "RegularExpression", "name": "A", "value": "1"}
    with pytest.raises(Inexpressible, match="matches the header A already"):
        with_headers({"headers": [pattern]}, headers(A="1"))


def test_a_match_has_sixteen_headers() -> None:
    present = [exactly(f"X-{number}", "1") for number in range(16)]
    with pytest.raises(Inexpressible, match="17 headers, and it may have 16"):
        with_headers({"headers": present}, headers(A="1"))


def test_a_pattern_that_is_too_long_is_impossible() -> None:
    long = HeaderMatch(header_name="A", header_value=StringMatch(prefix="x" * 4096))
    with pytest.raises(Inexpressible, match="longer than 4096"):
        with_headers({}, [long])


@pytest.mark.parametrize(
    ("present", "wanted", "found"),
    [
        ({}, {"prefix": "/pay"}, path("/pay")),
        (path("/"), {"exact": "/pay"}, path("/pay", "Exact")),
        (path("/"), {"regex": "/p.*"}, path("/p.*", "RegularExpression")),
        (path("/pay"), {"prefix": "/pay/card"}, path("/pay/card")),
        (path("/pay/card"), {"prefix": "/pay"}, path("/pay/card")),
        (path("/pay"), {"prefix": "/pay/"}, path("/pay/")),
        (path("/pay", "Exact"), {"prefix": "/pay"}, path("/pay", "Exact")),
        (path("/pay", "Exact"), {"exact": "/pay"}, path("/pay", "Exact")),
        (path("/pay"), {"prefix": "/payment"}, None),
        (path("/pay"), {"exact": "/cart"}, None),
    ],
)
def test_of_two_paths_the_narrower_counts(present: Any, wanted: Any, found: Any) -> None:
    assert narrowed_to(present, RequestMatch(path=StringMatch(**wanted)), grpc=False) == found


def test_methods_are_the_same_or_exclude_each_other() -> None:
    get = RequestMatch(method=StringMatch(exact="GET"))
    assert narrowed_to({}, get, grpc=False) == {"method": "GET"}
    assert narrowed_to({"method": "GET"}, get, grpc=False) == {"method": "GET"}
    assert narrowed_to({"method": "PUT"}, get, grpc=False) is None


@pytest.mark.parametrize(
    ("present", "request_", "grpc", "words"),
    [
        ({}, {"method": StringMatch(prefix="G")}, False, "give method: exact with one of GET"),
        ({}, {"method": StringMatch(exact="BREW")}, False, "give method: exact with one of GET"),
        ({}, {"path": StringMatch(exact="pay")}, False, "does not begin with /"),
        (path("/pay"), {"path": StringMatch(regex="/p")}, False, "matches the path /pay already"),
        ({}, {"path": StringMatch(exact="/pay")}, True, "a GRPCRoute matches neither"),
    ],
)
def test_what_can_t_be_said(present: Any, request_: Any, grpc: bool, words: str) -> None:
    with pytest.raises(Inexpressible, match=words):
        narrowed_to(present, RequestMatch(**request_), grpc=grpc)
