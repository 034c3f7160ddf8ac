"""An attempt at a revision: when it begins, and how it ends: promoted, or in the revision before."""

from datetime import datetime, timedelta

from rollouts.core.facts import (
    is_known_good,
    route_removal_is_delayed,
    who_answers,
)
from rollouts.core.next.revision_history import (
    after_promotion,
    as_rolled_back_from,
    past_revisions,
    stable_revision_replaced,
)
from rollouts.core.world import (
    KeptWarm,
    NotBegun,
    StatusUpdate,
    UnderWay,
    World,
    current_route,
    describe,
    has_stable,
    mechanism_of,
    next_revision_number,
    stage_of,
    under_way,
)
from rollouts.model.status import Abort, Exposure, Retiring, Revision, RolloutStatus, Weights


def switch_back(
    world: World,
    update: StatusUpdate,
    warm: KeptWarm,
    *,
    by: str,
    reason: str,
    forced: bool = False,
) -> StatusUpdate:
    """Switch back to the revision before, which is still warm."""
    status, previous = update.status, warm.previous
    past = past_revisions(status, as_rolled_back_from(warm.stable), previous)
    return roll_back(
        world,
        update.evolve(
            stable_revision=previous,
            previous_revision=None,
            past_revisions=past,
            retiring=[entry for entry in status.retiring if entry.hash != previous.hash],
        ),
        by=by,
        reason=reason,
        forced=forced,
    )


def roll_back(
    world: World, update: StatusUpdate, *, by: str, reason: str, forced: bool = False
) -> StatusUpdate:
    """
    Send all traffic to stable now, and remember why; only `retry` or a new template begins again.

    Of that, what stable can't bear yet follows when it can, unless it is `forced`.
    """
    status = update.status
    release = under_way(status)
    if release is None:
        return update  # there is nothing to stop
    current, stable = release.current, release.stable
    drained = world.now + timedelta(seconds=world.observed.quiet_seconds)
    reached = status.weights.applied > 0 or status.weights.disrupted_at is not None
    update = update.evolve(
        abort=Abort(at=world.now, by=by, reason=reason, forced=forced),
        weights=Weights(
            desired=0, applied=status.weights.applied, applied_at=status.weights.applied_at
        ),
        pause=None,
        held_by=None,
        promoted="",
        leaning_since=None,
        canary_scale=None,
        drain_until=drained if reached else status.drain_until,
        retiring=retire(
            status, current.hash, world.spec.active_strategy.abort_scale_down_delay_seconds
        ),
        phase="Degraded",
    )
    sentence = (
        f"{describe(current)} is rolled back to {describe(stable)}: {reason}"
        f"{who_answers(world, update.status)}"
    )
    return update.event(world, "RolledBack", sentence, "Warning").as_retreat()


def promote(world: World, update: StatusUpdate, release: UnderWay) -> StatusUpdate:
    """Make the current revision, which has all the traffic, the stable one."""
    status = update.status
    old = release.stable
    new, past = after_promotion(status, release)
    keeps = mechanism_of(world.spec).keeps_previous
    seconds = (world.now - (status.started_at or world.now)).total_seconds()
    exposure = status.exposure
    update = update.evolve(
        stable_revision=new,
        current_revision=new,
        promoted="",
        leaning_since=None,
        current_step_index=None,
        step_started_at=world.now,
        canary_scale=None,
        pause=None,
        drain_until=world.now + timedelta(seconds=world.observed.quiet_seconds),
        weights=Weights(
            desired=100,
            applied=100,
            applied_at=status.weights.applied_at,
            served=status.weights.served,
        ),
        previous_revision=old if keeps else None,
        past_revisions=past,
        retiring=retire(status, old.hash, world.spec.active_strategy.scale_down_delay_seconds),
        phase="Progressing",
    )
    return update.event(
        world,
        "Promoted",
        f"{describe(new)} is promoted after {seconds:.0f} s and {exposure.canary_requests} canary requests,"
        f" {exposure.canary_failures} of them failed{_unmeasured(world, status)}",
    )


def _unmeasured(world: World, status: RolloutStatus) -> str:
    """Return of which criteria nothing was ever measured: their numbers are no proof of anything."""
    known = {each.name for each in status.criteria if each.value is not None}
    names = [each.name for each in world.spec.success_criteria if each.name not in known]
    return f"; nothing was measured for {', '.join(names)}" if names else ""


def retarget(world: World, update: StatusUpdate) -> StatusUpdate:
    """Notice a template that is not the current revision's, and begin whatever that means."""
    update = _unpinned(world, update)
    status = update.status
    wanted = status.pinned.hash if status.pinned is not None else world.observed.template_hash
    if isinstance(stage_of(status), NotBegun):
        return _first_sight(world, update)
    if status.current_revision is not None and status.current_revision.hash == wanted:
        return update
    if route_removal_is_delayed(world, status):
        return update
    superseded = status.current_revision if under_way(status) or status.abort else None
    if status.stable_revision is not None and status.stable_revision.hash == wanted:
        return back_to_stable(world, update, status.stable_revision)
    update = update.evolve(stable_revision=stable_revision_replaced(status))
    known = is_known_good(world, status, wanted)
    update = begin(world, update, numbered(world, status, wanted), skipping=known)
    if superseded is None or status.stable_revision is None:
        return update
    return retire_revision(world, update, superseded.hash)


def begin(
    world: World,
    update: StatusUpdate,
    target: Revision,
    *,
    skipping: bool = False,
    reason: str = "",
) -> StatusUpdate:
    """
    Begin an attempt at `target` at step 0: no evidence, no weight, nothing remembered of the last.

    `skipping` all steps, it goes to all the traffic as soon as it has its full size. `reason` is why a
    person wants it, in their words.
    """
    status = update.status
    traffic = current_route(world, status)
    drained = _drained(world, status)
    update = update.evolve(
        **_fresh(status),
        current_revision=target,
        current_step_index=0 if has_stable(status) else None,
        step_started_at=world.now,
        started_at=world.now,
        drain_until=drained,
        exposed_at=max(world.now, drained),
        unsettled_since=None,
        stable_floor=_floor(world, status),
        phase="Progressing",
    )
    steps = len(world.spec.steps)
    if status.stable_revision is not None and skipping:
        update = update.evolve(
            current_step_index=steps,
            promoted="Full",
            weights=Weights(desired=100),
        )
    if status.stable_revision is None:
        return update.event(
            world,
            "FirstDeploy",
            f"{describe(target)} is the first, and starts without steps",
        )
    update = update.event(
        world,
        "RolloutStarted",
        f"{describe(target)} is to replace {describe(status.stable_revision)}"
        f" {_how(world, skipping=skipping)}{f': {reason}' if reason else ''}",
    )
    return update.as_retreat() if traffic.highest > 0 else update


def _how(world: World, *, skipping: bool) -> str:
    if skipping:
        return "without steps, since it was stable before"
    steps = len(world.edit.steps if world.edit is not None else world.spec.steps)
    return f"in {steps} steps" if steps else "at once"


def _unpinned(world: World, update: StatusUpdate) -> StatusUpdate:
    """Let go of a past revision when the template has changed, or the revision is gone."""
    pinned = update.status.pinned
    if pinned is None or (
        pinned.instead_of == world.observed.template_hash
        and pinned.hash in world.observed.replica_sets
    ):
        return update
    return update.evolve(pinned=None)


def _floor(world: World, status: RolloutStatus) -> int:
    """Return what stable keeps at least: what it has now, or had while the last rollout was under way."""
    stable = world.replica_set(status.stable_revision)
    return max(world.spec.replicas, stable.wanted, status.stable_floor) if stable is not None else 0


def _drained(world: World, status: RolloutStatus) -> datetime:
    """
    Return from when on what the canary's counters count can't be the last canary's.

    Status is asked, too: after a conflict, or a crash, the routes may have been cut already; and in
    a hold at 0 they have been.
    """
    stable, current, weights = status.stable_revision, status.current_revision, status.weights
    another = stable is not None and current is not None and stable.hash != current.hash
    if not mechanism_of(world.spec).mixes_counters:
        return world.now  # each pod counts for itself
    reached = weights.applied > 0 or weights.disrupted_at is not None
    if world.route.highest > 0 or (another and reached):
        return world.now + timedelta(seconds=world.observed.quiet_seconds)
    return max(world.now, status.drain_until or world.now)


def retire(status: RolloutStatus, hash_: str, delay_seconds: float) -> list[Retiring]:
    """Return `status.retiring` with this revision, which goes `delay_seconds` after its last request."""
    others = [entry for entry in status.retiring if entry.hash != hash_]
    return [*others, Retiring(hash=hash_, delay_seconds=delay_seconds)]


def _fresh(status: RolloutStatus) -> dict[str, object]:
    return {
        "entered_steps": [],
        "promoted": "",
        "leaning_since": None,
        "weights": Weights(),
        "canary_scale": None,
        "settled_pods": None,
        "pause": None,
        "held_by": None,
        "abort": None,
        "previous_revision": None,
        "route_ends_at": None,
        "criteria": [],
        # How far apart scrapes are is the same for the next attempt.
        "exposure": Exposure(scrape_interval_seconds=status.exposure.scrape_interval_seconds),
    }


def _first_sight(world: World, update: StatusUpdate) -> StatusUpdate:
    """
    Meet a Rollout without a status.

    That is not a first deploy by itself: after a restore, or when Git made the object
    again, the revision that the stable Service selects is the stable one and keeps its traffic.
    """
    serving = mechanism_of(world.spec).stable_at_first_sight(world)
    if serving is None or serving.existing == 0:
        return begin(world, update, numbered(world, update.status, world.observed.template_hash))
    stable = serving.as_revision
    update = update.evolve(stable_revision=stable, weights=Weights(desired=100, applied=100))
    for other in world.observed.replica_sets.values():
        if other.existing > 0 and other.hash != stable.hash:
            update = retire_revision(
                world, update, other.hash
            )  # it may have served until a moment ago
    if serving.hash == world.observed.template_hash:
        update = update.evolve(current_revision=stable)
        return update.event(
            world,
            "StableFound",
            f"{describe(stable)} is what has the traffic: it is stable",
        )
    return begin(world, update, numbered(world, update.status, world.observed.template_hash))


def back_to_stable(
    world: World, update: StatusUpdate, stable: Revision, why: str = ""
) -> StatusUpdate:
    """Go to the stable template without steps; `why`, where that is not because the template is it again."""
    status = update.status
    left = status.current_revision
    update = update.evolve(
        **(_fresh(status) | {"weights": Weights(desired=100, applied=100)}),
        current_revision=stable,
        current_step_index=None,
        step_started_at=None,
        drain_until=_drained(world, status),
        phase="Progressing",
    )
    update = update.event(
        world,
        "BackToStable",
        why or f"the template is that of {describe(stable)} again, so no steps are needed",
    )
    return retire_revision(world, update, left.hash).as_retreat() if left is not None else update


def retire_revision(world: World, update: StatusUpdate, hash_: str) -> StatusUpdate:
    """Let a revision that was on its way go, some time after nothing reaches it any more."""
    delay = world.spec.active_strategy.abort_scale_down_delay_seconds
    return update.evolve(retiring=retire(update.status, hash_, delay))


def numbered(world: World, status: RolloutStatus, hash_: str) -> Revision:
    """Return the revision of this hash with the number that it has when it begins now."""
    known = [replica_set.revision for replica_set in world.observed.replica_sets.values()]
    known += [
        entry.number
        for entry in (status.stable_revision, status.current_revision)
        if entry is not None
    ]
    found = world.observed.replica_sets.get(hash_)
    there = found.images if found is not None else ()
    return Revision(
        number=next_revision_number(known),
        hash=hash_,
        images=list(world.observed.images if hash_ == world.observed.template_hash else there),
    )
