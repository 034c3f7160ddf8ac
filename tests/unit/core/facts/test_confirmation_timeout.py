"""An answer that does not come holds up a rollback, and what follows it, for some minutes only."""

from datetime import timedelta

import pytest

from rollouts.core.facts import CONFIRMATION_TIMEOUT
from rollouts.core.plan.actions import RemoveRoute, SelectRevision
from rollouts.model.route import Route
from rollouts.model.status import Retiring, Weights
from tests.unit.core.worlds import (
    NEW,
    OLD,
    Scene,
    replica_set,
    rolled_back,
    service,
    told,
    under_way,
)

CUT = Route(
    exists=True, weight=None, highest=1, is_cut=True, unconfirmed=("Gateway edge is silent",)
)
LONG = CONFIRMATION_TIMEOUT.total_seconds()


def later(scene: Scene, seconds: float) -> Scene:
    return scene.with_(now=scene.now + timedelta(seconds=seconds))


def test_a_canary_stays_as_long_as_a_gateway_may_still_send_to_it() -> None:
    scene = rolled_back(route=CUT)
    decision = scene.decide()
    assert [entry.at for entry in decision.status.retiring] == [None]
    assert decision.status.weights.applied == 25
    assert decision.requeue_after_seconds == pytest.approx(LONG + 1)


def test_a_gateway_that_is_silent_for_good_does_not_keep_the_canary() -> None:
    scene = later(rolled_back(route=CUT), LONG + 1)
    decision = scene.decide()
    assert decision.status.weights.applied == 0
    assert [entry.at for entry in decision.status.retiring] != [None]
    assert told(decision) == ["NotConfirmed"]
    assert decision.events[0].message.startswith("Gateway edge is silent: it is waited for no")
    assert decision.status.message == rolled_back().status.message
    gone = later(scene.after(decision), 31).decide()
    assert RemoveRoute() in gone.actions
    assert told(gone) == [], "it is told once"


def test_a_route_that_was_written_to_send_something_is_waited_for() -> None:
    sending = Route(exists=True, weight=None, highest=25)
    decision = later(rolled_back(route=sending), LONG).decide()
    assert [entry.at for entry in decision.status.retiring] == [None]


def test_a_newer_template_waits_since_what_the_last_canary_gets_must_not_be_its_own() -> None:
    last = [Retiring(hash="lasthash", delay_seconds=30)]
    scene = under_way(retiring=last, weights=Weights(desired=25), route=CUT)
    scene = scene.evolve(replica_set("lasthash", 1)).serving(
        canary=service("checkout-canary", "lasthash", lasthash=1)
    )
    decision = later(scene, LONG).decide()
    assert SelectRevision("checkout-canary", NEW) not in decision.actions
    assert [entry.at for entry in decision.status.retiring] == [None]
    cut = later(scene.with_(route=Route(exists=True)), LONG).decide()
    assert SelectRevision("checkout-canary", NEW) in cut.actions


def test_going_forward_an_answer_is_waited_for_up_to_the_deadline() -> None:
    scene = under_way(weights=Weights(desired=50, applied=25), unsettled_since=under_way().now)
    scene = scene.with_(
        route=Route(
            exists=True,
            weight=None,
            highest=50,
            written=frozenset({50}),
            unconfirmed=("it is late",),
        ),
    ).evolve(replica_set(NEW, 2), replica_set(OLD, 4))
    assert later(scene, LONG).decide().status.abort is None
    abort = later(scene, 601).decide().status.abort
    assert abort is not None
    assert "made no progress" in abort.reason
