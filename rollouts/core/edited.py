"""What a release says and does while its spec, as it is written, is not the one it is run by."""

from rollouts.core.plan import PROMOTION
from rollouts.core.world import Hold, Move, World
from rollouts.model.status import Pause

BY_A_PERSON = ("SpecPaused", "Command", "StepsChanged", "StrategyChanged", "InvalidSpec")
"""With these the clock of a step stands still: it starts anew when they end."""


def stay(world: World, hold: Hold, move: Move, where: str) -> Move:
    """Stay where it is, `where` in words, until the spec is corrected or a person chooses."""
    status = move.status
    if hold.reason == "InvalidSpec":
        text = f"{where}: held until the spec is valid again"
        pause = status.pause
        if pause is None or pause.reason != "InvalidSpec":
            pause = Pause(reason="InvalidSpec", at=world.now)
        return move.evolve(phase="Paused", pause=pause, message=text)
    if not status.entered_steps:
        text = hold.goes_over or f"{where}: begins when the spec is as it is written"
        return move.evolve(phase="Progressing", pause=None, message=text)
    if hold.reason == "StepsChanged" and (
        status.step_started_at is None or status.entered_steps[-1] == PROMOTION
    ):
        return move.evolve(phase="Progressing", message=f"goes on with {hold.next_step}")
    reason = "StepsChanged" if hold.reason == "StepsChanged" else "StrategyChanged"
    text = f"{where}: {hold.why}"
    if status.pause is not None and status.pause.reason == reason:
        return move.evolve(phase="Paused", message=text)
    move = move.evolve(phase="Paused", pause=Pause(reason=reason, at=world.now))
    return move.event(world, reason, text)
