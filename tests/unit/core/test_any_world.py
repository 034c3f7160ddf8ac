"""
Whatever status and cluster look like, however little they fit together: a decision is made.

After a restore, an upgrade or a hand that edits status, a decision may see what no run of the
controller leads to. It must not raise, and what is never safe is not done.
"""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.core.plan.actions import (
    CreateReplicaSet,
    CreateService,
    EvictPod,
    ScaleReplicaSet,
    SelectRevision,
    SetWeight,
)
from rollouts.core.world import Command
from rollouts.core.world import under_way as is_under_way
from rollouts.model.evidence import Evidence
from rollouts.model.finding import Finding
from rollouts.model.route import Route, Split
from rollouts.model.status import (
    Abort,
    PauseCondition,
    Restart,
    Retiring,
    Revision,
    RolloutStatus,
    Weights,
)
from tests.unit.core.worlds import (
    CRITERIA,
    NEW,
    NOW,
    OLD,
    STEPS,
    Scene,
    at,
    evidence,
    observed,
    replica_set,
    service,
    spec_of,
)

HASHES = [OLD, NEW, "ghost"]
TIMES = st.one_of(st.none(), st.sampled_from([at(-1000), at(-3), at(0), at(3)]))
RESTART = Restart(at=at(-5), begun=True, going=[f"{OLD}-0", "ghost"])
PERCENT = st.sampled_from([0, 1, 25, 50, 100])
HEADER = {"name": "testers", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}
ROUTED = {
    "stableService": "checkout",
    "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
}
SWITCHED = {"activeService": "checkout", "previewService": "checkout-canary"}
BAKED = {"postPromotionAnalysis": {"duration": "1s"}, "previewReplicaCount": 1}
SPECS = [
    spec_of(),
    spec_of([]),
    spec_of(STEPS, successCriteria=CRITERIA, progressDeadlineSeconds=5),
    spec_of([{"setCanaryScale": {"replicas": 2}}, {"analysis": {"duration": "1s"}}], paused=True),
    spec_of([{"setWeight": 100}, {"setWeight": 0}], replicas=0, revisionHistoryLimit=0),
    spec_of([{"setHeaderRoute": HEADER}, *STEPS]),
    spec_of(strategy={"canary": {**ROUTED, "steps": STEPS, "dynamicStableScale": True}}),
    spec_of(strategy={"canary": {"steps": STEPS}}),
    spec_of(strategy={"blueGreen": SWITCHED}, successCriteria=CRITERIA),
    spec_of(strategy={"blueGreen": {"activeService": "checkout", **BAKED}}),
]
REVISIONS = st.one_of(
    st.none(), st.sampled_from([Revision(number=1, hash=hash_) for hash_ in HASHES])
)
STATUSES = st.builds(
    RolloutStatus,
    phase=st.sampled_from(["Healthy", "Progressing", "Paused", "Degraded"]),
    stable_revision=REVISIONS,
    current_revision=REVISIONS,
    previous_revision=REVISIONS,
    current_step_index=st.sampled_from([None, 0, 1, 3, 99]),
    step_started_at=TIMES,
    started_at=TIMES,
    exposed_at=TIMES,
    drain_until=TIMES,
    weights=st.builds(
        Weights,
        desired=PERCENT,
        applied=PERCENT,
        applied_at=TIMES,
        routes=st.sampled_from([[], ["testers"]]),
    ),
    stable_floor=st.sampled_from([0, 4, 9]),
    canary_scale=st.sampled_from([None, 0, 3]),
    promoted=st.sampled_from(["", "Step", "Evidence", "Full"]),
    pause=st.sampled_from([None, PauseCondition(reason="PauseStep", at=at(-5))]),
    held_by=st.sampled_from([None, PauseCondition(reason="Command", at=at(-5))]),
    abort=st.sampled_from([None, None, Abort(at=at(-5), by="me", reason="x")]),
    restart=st.sampled_from([None, RESTART, RESTART.evolve(at=at(0), going=[])]),
    retiring=st.lists(
        st.builds(
            lambda hash_, at: Retiring(hash=hash_, delay_seconds=5, at=at),
            st.sampled_from(HASHES),
            TIMES,
        ),
        max_size=2,
    ),
)
PODS = st.tuples(st.integers(0, 4), st.integers(0, 4))
SELECTED = st.sampled_from(["", *HASHES])
PROBLEM = Finding("error", "SecondCanary", "another is there")


def services(found: dict[str, str], ready: int) -> dict[str, Any]:
    endpoints = dict.fromkeys(HASHES, ready) if ready else {}
    return {name: service(name, hash_, **endpoints) for name, hash_ in found.items()}


OBSERVED = st.builds(
    lambda sets, **facts: observed(
        replica_sets={
            hash_: replica_set(
                hash_, pods, min(pods, ready), problem="CrashLoopBackOff", owned=pods != 3
            )
            for hash_, (pods, ready) in sets.items()
        },
        **facts,
    ),
    sets=st.dictionaries(st.sampled_from(HASHES), PODS),
    template_hash=st.sampled_from(HASHES),
    services=st.builds(
        services,
        st.dictionaries(st.sampled_from(["checkout", "checkout-canary"]), SELECTED),
        st.sampled_from([0, 4]),
    ),
    route=st.builds(
        Route,
        exists=st.booleans(),
        weight=st.one_of(st.none(), PERCENT),
        highest=PERCENT,
        intact=st.booleans(),
        routes_match=st.booleans(),
        findings=st.sampled_from([(), (PROBLEM,)]),
    ).map(lambda route: replace(route, highest=max(route.highest, route.weight or 0))),
    command=st.one_of(
        st.none(),
        st.builds(
            Command,
            id=st.sampled_from(["", "id-1"]),
            verb=st.sampled_from(
                ["promote", "promote-full", "abort", "retry", "pause", "restart", "rollback", "x"]
            ),
            revision=st.sampled_from(["", "1", "9"]),
        ),
    ),
)
LEANING = evidence("inconclusive", leans=True)
LOOKS = st.sampled_from(
    [Evidence(), LEANING, *map(evidence, ["pass", "fail", "inconclusive", "error"])]
)


def must_stay(spec: Any, status: RolloutStatus, seen: Any) -> bool:
    """Return whether stable would not answer what the routes send to another revision, which does."""
    stable, service = status.stable_revision, seen.services.get("checkout-canary")
    forced = status.abort is not None and status.abort.forced
    if stable is None or service is None or forced or not (spec.replicas and spec.routing):
        return False
    here, there = (seen.replica_sets.get(each) for each in (stable.hash, service.selected_hash))
    return bool(there and there.ready and there is not here and not (here and here.ready))


@settings(max_examples=300)
@given(st.sampled_from(SPECS), STATUSES, OBSERVED, LOOKS)
def test_any_world_has_a_decision_and_it_is_a_safe_one(
    spec: Any, status: RolloutStatus, seen: Any, looks: Evidence
) -> None:
    decision = Scene(spec, status, seen, looks, NOW).decide()
    for action in decision.actions:
        match action:
            case SetWeight(Split(percent=percent)):
                rises = percent > seen.route.highest
                falls = percent < (seen.route.weight or 0)
                assert not (falls and must_stay(spec, decision.status, seen)), "an answer is lost"
                assert not (rises and status.abort is not None), "no weight rises after a rollback"
                new = rises and status.weights.applied < percent
                assert not (new and seen.route.findings), "no weight rises over a blocking finding"
                waived = decision.status.promoted or status.promoted
                leans = looks is LEANING and bool(spec.success_criteria) and not waived
                assert not (new and leans), "no weight rises over what leans"
                canary = seen.services.get("checkout-canary")
                assert not new or canary.ready_endpoints, "no weight without ready endpoints"
            case SelectRevision(_, hash_) | CreateService(_, hash_):
                found = seen.replica_sets[hash_]
                assert found.ready or spec.replicas == 0, "no Service selects nothing"
            case CreateReplicaSet(hash_):
                assert hash_ not in seen.replica_sets
            case EvictPod(name):
                stable = seen.replica_sets[HASHES[0] if name.startswith(OLD) else HASHES[1]]
                ready = next(pod.ready for pod in stable.pods if pod.name == name)
                assert not ready or stable.available > 1, "the last pod is never evicted"
            case ScaleReplicaSet(name, 0):
                stable = decision.status.stable_revision
                kept = stable is not None and name == f"checkout-{stable.hash}"
                given = spec.by_replicas and 100 in (
                    status.weights.desired,
                    status.weights.applied,
                )
                assert not kept or given or spec.replicas == 0, "stable is never emptied"
    assert decision.status.step or decision.status.current_step_index is None
    if decision.status.abort is not None:
        assert not is_under_way(decision.status)
    if decision.requeue_after_seconds is not None:
        assert decision.requeue_after_seconds > 0
