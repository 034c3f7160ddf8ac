"""What one router says about itself in two places agrees, whichever router it is."""

import pytest

from rollouts.model.kinds import Kind
from rollouts.model.traffic_routing import TrafficRouting
from rollouts.sandbox.dataplane import snapshot
from rollouts.traffic.router import Router
from rollouts.traffic.routers import ROUTERS, kinds


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.spec.field)
def test_a_router_agrees_with_its_spec(router: Router) -> None:
    agrees(router)


def agrees(router: Router) -> None:
    """Check that a router does what its part of the spec promises."""
    spec, written = router.spec, [each.kind for each in router.kinds if each.is_written]
    assert spec.field in [field.alias for field in TrafficRouting.model_fields.values()]
    assert spec.lists.keys() <= {field.alias for field in spec.model_fields.values()}
    assert set(spec.lists.values()) <= set(written), "what is named is read"
    assert {kind for kind, _ in spec.names_in({}, "checkout")} <= set(written)
    assert spec.counts_requests == (router.counters is not None)
    assert all(each.kind.version in each.versions for each in router.kinds if each.versions)


def test_the_sandbox_reads_the_same_kinds() -> None:
    read = {each for each in vars(snapshot).values() if isinstance(each, Kind)}
    assert {each.kind for each in kinds() if each.is_written} <= read


def test_the_field_of_every_router_is_there_once() -> None:
    assert [router.spec for router in ROUTERS] == TrafficRouting.known()
