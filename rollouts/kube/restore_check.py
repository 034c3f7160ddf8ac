"""
Whether an API server that could not be reached has come back from a backup.

Until a list has said so, what was decided before would be done to it: such as letting go the pods that
its Services select. So whoever answers next is asked at which version it is, at once and before
anything is written.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable

from rollouts.backoff import Backoff
from rollouts.errors import Outdated, RolloutsError
from rollouts.kube.reflector import Reflector

NOT_SURE = (
    "the API server could not be reached, and has not said yet whether it came back from an older backup;"
    " nothing is written until then: "
)
ASKED = 2
"""So many kinds are asked for: a list of one may fail for a reason that is its own."""
LONGEST_DELAY_SECONDS = 2.0


class RestoreCheck:
    """
    Doubts, and what resolves them. All who have them wait for the same question.

    `reflectors` returns those that may be asked, and `rewound` is called when it was restored.
    """

    def __init__(
        self, reflectors: Callable[[], Iterable[Reflector]], rewound: Callable[[], None]
    ) -> None:
        self._reflectors = reflectors
        self._rewound = rewound
        self._backoff = Backoff(0.2, LONGEST_DELAY_SECONDS)
        self._doubts = self._resolved = 0
        self._question: asyncio.Task[None] | None = None
        self._until_sure: asyncio.Task[None] | None = None
        self._stopped = False
        self._why = ""

    @property
    def problem(self) -> str:
        """Why nothing is written; empty: nothing keeps from it."""
        return f"{NOT_SURE}{self._why}" if self._why else ""

    def doubt(self) -> None:
        """Ask who answers now, until somebody does."""
        self._doubts += 1
        if not self._stopped and (self._until_sure is None or self._until_sure.done()):
            self._until_sure = asyncio.create_task(self._ask(), name="was the API server restored")

    async def make_sure(self) -> None:
        """
        Return when it is known whether the API server was restored.

        Raises:
            Outdated: it does not say.
        """
        may_be_stale = self._question is not None and not self._question.done()
        while self._doubts != self._resolved and not self._stopped:
            if self._question is None or self._question.done():
                self._question = asyncio.create_task(self._resolve(), name="which version is it at")
            await asyncio.shield(self._question)
            if self._why and not may_be_stale:
                raise Outdated(f"{NOT_SURE}{self._why}")
            may_be_stale = False  # what was asked before we came may have found nobody yet

    async def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        tasks = [task for task in (self._until_sure, self._question) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self) -> None:
        for failures in itertools.count(1):
            try:
                await self.make_sure()
            except Outdated:
                await asyncio.sleep(self._backoff.delay(failures))
            else:
                break

    async def _resolve(self) -> None:
        doubts, why = self._doubts, "nothing is watched"
        # What a kind is at says nothing of another one, which may be kept in another etcd.
        newest = sorted(self._reflectors(), key=lambda each: each.known.version, reverse=True)
        for each in newest[:ASKED]:
            known = each.known
            try:
                version = await each.version_now()
            except RolloutsError as error:
                why = str(error)
                continue
            self._resolved, self._why = doubts, ""
            if not known.goes_on_at(version):
                self._rewound()
            return
        self._why = why
