"""The time of day."""

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """The `Clock` port over the computer's own."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
