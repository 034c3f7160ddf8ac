"""What is put behind the message of a status: why something takes longer than a release by itself."""

from rollouts.core.facts import (
    STABLE_DOWN,
    STABLE_SHORT,
    STILL_LABELLED,
    confirmation_times_out_at,
    release_remains,
    still_labelled,
    switch_back_waits,
    switch_back_waits_until,
    who_answers,
)
from rollouts.core.world import StatusUpdate, World, under_way
from rollouts.model.status import RolloutStatus

_COMES = "; the strategy as it is written comes into force when "


def without_notes(status: RolloutStatus) -> RolloutStatus:
    """Return a status whose message speaks of the release alone."""
    return _without_strategy_note(_without_stable_note(status))


def note_stable_down(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update with what stable can't bear in its message, looked at again when that ends."""
    status = update.status
    words = who_answers(world, status) or still_labelled(world, status)
    if words.startswith(STABLE_DOWN) and under_way(status) and not _is_told(status):
        update = update.event(world, "StableDown", words.removeprefix("; "), "Warning")
    update = update.evolve(message=_without_stable_note(status).message + words)
    until = switch_back_waits_until(world, status)
    return (
        update.requeue_at(until)
        if switch_back_waits(world, status) and until is not None
        else update
    )


def _is_told(status: RolloutStatus) -> bool:
    """Return whether this attempt has told it already: of a stable revision that flaps once is enough."""
    since = status.started_at
    told = (each for each in status.history if each.reason == "StableDown")
    return any(since is None or each.at >= since for each in told)


def _without_stable_note(status: RolloutStatus) -> RolloutStatus:
    """Return a status whose message speaks of the release alone."""
    message = status.message
    for note in (STABLE_DOWN, STABLE_SHORT, STILL_LABELLED):
        message = message.partition(note)[0]
    return status.evolve(message=message)


def note_strategy_change(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update that says, between releases, what another strategy waits for before it comes into force."""
    if world.edit is None or world.edit.reason != "StrategyChanged" or under_way(update.status):
        return update
    left = release_remains(world, update.status)
    return update.evolve(message=f"{update.status.message}{_COMES}{left}") if left else update


def _without_strategy_note(status: RolloutStatus) -> RolloutStatus:
    """Return a status whose message speaks of the release alone."""
    return status.evolve(message=status.message.partition(_COMES)[0])


def note_confirmation_timeout(world: World, update: StatusUpdate) -> StatusUpdate:
    """Return the update, to be looked at again when the time for an answer is over; and then with that on record, once."""
    route, status, ends = (
        world.route,
        update.status,
        confirmation_times_out_at(update.status),
    )
    if not route.is_cut or ends is None:
        return update
    if route.highest > 0:
        return update.requeue_at(ends)
    if any(entry.reason == "NotConfirmed" and entry.at >= ends for entry in status.history):
        return update
    waits = "; ".join(route.unconfirmed) or "the routes are not confirmed"
    text = f"{waits}: it is waited for no longer; the canary goes, and its Service leads to stable"
    # The message goes on saying why it was rolled back.
    return update.event(world, "NotConfirmed", text, "Warning").evolve(message=status.message)
