"""A story with its controller killed at many points, one by one or one after the other, and the account of it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from pydantic import BaseModel, Field

from rollouts.model.kinds import JSON
from tests.sandbox.kills.points import Point, in_both, points_of, sample
from tests.sandbox.kills.proxied_controller import KillSandbox, proxied_controller
from tests.sandbox.kills.stories import Story
from tests.sandbox.kills.story_runner import StoryRun, StoryRunner


class Account(BaseModel):
    """What killing the controller of one story came to; `clean` says whether that is as it has to be."""

    story: str
    real: bool = False
    """On a real control plane, rather than on the sandbox's own."""
    loops: bool
    """One process after the other was killed in the same telling, rather than one in each."""
    writes: int
    planned: int
    killed: int
    tellings: int
    requests: int
    lost: dict[str, int]
    failed: int
    end_states: int
    problems: list[str]
    earlier_problems: list[str] = []
    """What was not as it has to be when the story was told before, since all were told."""
    evidence: list[str] = Field(default=[], exclude=True)
    """What was written and lost when, in the tellings with problems; it is not kept."""

    @property
    def clean(self) -> bool:
        return not self.problems


class Trial:
    """One story in a namespace of its own, told twice without a kill to know what is written each time."""

    def __init__(self, runner: StoryRunner, undisturbed: StoryRun, again: StoryRun) -> None:
        self._runner = runner
        self._undisturbed = undisturbed
        self._again = again
        self.points = in_both(points_of(undisturbed.writes), points_of(again.writes))

    async def alone(self, points: Sequence[Point]) -> Account:
        """Kill it at each of the points in a telling of its own."""
        runs = [await self._runner.run_at_each([point]) for point in points]
        return self._account(points, list(chain.from_iterable(runs)), loops=False)

    async def in_a_row(self, points: Sequence[Point]) -> Account:
        """Kill it at all of the points in one telling, and at those that did not come then in another."""
        return self._account(points, await self._runner.run_at_each(points), loops=True)

    def _account(self, points: Sequence[Point], runs: list[StoryRun], *, loops: bool) -> Account:
        everything = [self._undisturbed, self._again, *runs]
        killed = list(chain.from_iterable(each.killed for each in runs))
        end = self._undisturbed.end
        lost: dict[str, int] = {}
        for reason, count in chain.from_iterable(each.lost.items() for each in everything):
            lost[reason] = lost.get(reason, 0) + count
        return Account(
            story=self._runner.story.name,
            real=self._runner.is_real,
            loops=loops,
            writes=len(self.points) // 2,
            planned=len(points),
            killed=len(killed),
            tellings=len(runs),
            requests=sum(each.sent for each in everything),
            lost=lost,
            failed=sum(each.failed for each in everything),
            end_states=len({repr(each.end) for each in everything}),
            problems=list(self._problems(points, runs)),
            evidence=[
                line
                for each in everything
                if each.lost or each.failed or each.end != end
                for line in each.account()
            ],
        )

    def _problems(self, points: Sequence[Point], runs: Iterable[StoryRun]) -> Iterable[str]:
        """Yield what is not as it has to be."""
        first, left = self._undisturbed, set(points)
        for each in [first, self._again, *runs]:
            left -= set(each.killed)
            where = f"killed {'; '.join(map(str, each.killed)) or 'nowhere'}"
            if each.lost or each.failed:
                yield (
                    f"{where}: {dict(each.lost)} were lost and {each.failed} failed; "
                    f"requests left up to {each.lag_seconds:.1f} s late"
                )
            if again := set(each.twice) - set(first.twice) - set(self._again.twice):
                yield f"{where}: written twice: {', '.join(sorted(again))}"
            if each.end != first.end:
                yield f"{where}: it ended otherwise: {differences(first.end, each.end)}"
        for point in sorted(left):
            yield f"never came: {point}"


AT_ONCE = 4
"""So many stories keep two cores busy."""


async def kill_in_all(
    sandbox: KillSandbox,
    stories: Sequence[Story],
    share: float,
    seed: int,
    over: Callable[[list[Account]], None],
) -> list[Account]:
    """Return what came of killing the controller in each of the stories, in their order; `over` hears of each."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def tried(story: Story) -> list[Account]:
        async with slots:
            accounts = await kill_all(sandbox, story, share, seed)
        over(accounts)
        return accounts

    runs = await asyncio.gather(*map(tried, stories))
    return list(chain.from_iterable(runs))


async def kill_all(
    sandbox: KillSandbox, story: Story, share: float, seed: int, *, alone: bool = True
) -> list[Account]:
    """
    Return what killing the controller at this share of the points came to.

    Alone, and in a row; only in a row where `alone` is false. A share is of the points that are
    sure to come.
    """
    namespace = "".join(each if each.isalnum() else "-" for each in story.name.lower())
    release = sandbox.release(namespace)
    async with proxied_controller(sandbox, namespace) as controller:
        runner = StoryRunner(story, release, controller)
        await runner.opens()
        trial = Trial(runner, await runner.run(), await runner.run())
        sure = [each for each in trial.points if not each.waits_for_a_scrape]
        points = sample(sure, share, seed) if share < 1 else trial.points
        accounts = [await trial.alone(points)] if alone else []
        return [*accounts, await trial.in_a_row(points)]


def differences(one: JSON, other: JSON) -> str:
    """Return what is different, object by object."""
    names = sorted({*one, *other})
    return "; ".join(
        f"{name} is {other.get(name)} rather than {one.get(name)}"
        for name in names
        if one.get(name) != other.get(name)
    )
