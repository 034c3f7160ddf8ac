"""Linkerd's rules of TrafficSplits, on plain objects."""

import pytest

from rollouts.model.kinds import JSON
from rollouts.sandbox.dataplane.endpoints import Backend, Endpoints
from rollouts.sandbox.dataplane.splits import Share, Splits, milli

WEB = Backend("ns", "web", "http")
SERVICE: JSON = {
    "metadata": {"namespace": "ns", "name": "web"},
    "spec": {"ports": [{"name": "http", "port": 8000}]},
}


def split(root: str, *backends: tuple[str, object], name: str = "s", day: int = 1) -> JSON:
    listed = [{"service": service, "weight": weight} for service, weight in backends]
    created = f"2026-01-0{day}T00:00:00Z"
    meta = {"namespace": "ns", "name": name, "creationTimestamp": created}
    return {"metadata": meta, "spec": {"service": root, "backends": listed}}


def shares(*splits: JSON) -> list[Share]:
    return Splits(splits, Endpoints([SERVICE], [])).shares(WEB)


@pytest.mark.parametrize(
    ("weight", "thousandths"),
    [
        (1, 1000),
        ("1", 1000),
        ("900m", 900),
        ("0.1", 100),
        ("1.5", 1500),
        ("1k", 1_000_000),
        (0, 0),
        ("0m", 0),
        ("-5", 0),
        ("many", 0),
        (None, 0),
    ],
)
def test_a_weight_is_a_number_or_a_quantity(weight: object, thousandths: int) -> None:
    assert milli(weight) == thousandths


def test_backends_are_asked_at_the_number_of_the_roots_port() -> None:
    found = shares(split("web", ("next", 10), ("web", "990m")))
    assert found == [
        Share(Backend("ns", "next", "8000"), 10_000),
        Share(Backend("ns", "web", "8000"), 990),
    ]


def test_a_root_may_be_named_as_dns_does() -> None:
    assert shares(split("web.ns.svc.cluster.local", ("next.ns", 1))) == [
        Share(Backend("ns", "next", "8000"), 1000)
    ]


def test_backends_of_weight_0_are_left_out() -> None:
    assert shares(split("web", ("next", 0))) == []


def test_the_older_of_two_splits_counts() -> None:
    late, early = split("web", ("late", 1), name="a", day=2), split("web", ("early", 1), name="b")
    assert [share.backend.service for share in shares(late, early)] == ["early"]


def test_other_services_are_not_split() -> None:
    assert shares(split("other", ("next", 1))) == []
