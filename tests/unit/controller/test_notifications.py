import asyncio
from datetime import UTC, datetime

from structlog.testing import capture_logs

from rollouts.controller import notifications
from rollouts.controller.notifications import Notifications
from rollouts.errors import Unavailable
from rollouts.ports import Notification


class Receiver:
    """Takes notifications when it is let; raises what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.free = asyncio.Event()
        self.error = error
        self.got: list[Notification] = []
        self.closed = False

    async def notify(self, notification: Notification) -> None:
        await self.free.wait()
        if self.error is not None:
            raise self.error
        self.got.append(notification)

    async def close(self) -> None:
        self.closed = True


def notification(reason: str = "Promoted") -> Notification:
    return Notification("shop/checkout", reason, "done", datetime(2030, 1, 1, tzinfo=UTC))


async def test_only_what_people_care_for_is_told() -> None:
    receiver = Receiver()
    receiver.free.set()
    sender = Notifications(receiver)
    for reason in ("WeightSet", "Promoted", "CommandRefused", "RolledBack"):
        sender.send(notification(reason))

    await sender.close()

    assert [each.reason for each in receiver.got] == ["Promoted", "RolledBack"]
    assert receiver.closed


async def test_a_receiver_that_hangs_costs_a_bounded_number_of_notices() -> None:
    receiver = Receiver()
    sender = Notifications(receiver)
    with capture_logs() as logs:
        for _ in range(notifications.MOST_IN_FLIGHT + 3):
            sender.send(notification())
    await sender.close(patience_seconds=0.01)

    assert [entry["event"] for entry in logs] == ["notification dropped"] * 3
    assert receiver.got == []


async def test_a_failing_receiver_is_logged_and_nothing_else() -> None:
    for error in (Unavailable("away"), KeyError("bug")):
        receiver = Receiver(error)
        receiver.free.set()
        sender = Notifications(receiver)
        with capture_logs() as logs:
            sender.send(notification())
            await sender.close()
        assert len(logs) == 1
