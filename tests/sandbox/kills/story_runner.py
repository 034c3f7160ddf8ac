"""A story told once, with the controller killed at some points of it, and what became of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rollouts.model.kinds import JSON
from rollouts.sandbox.load import LoadReport
from tests.sandbox.kills.end_state import end_state, written_twice
from tests.sandbox.kills.points import Kills, Point
from tests.sandbox.kills.proxied_controller import ProxiedController
from tests.sandbox.kills.proxy import Interference, Undisturbed, Write
from tests.sandbox.kills.stories import BAD, Story
from tests.sandbox.releases.release import Release

RATE = 20.0
PATIENCE_SECONDS = 600.0
"""A controller that dies after each of its writes takes its time."""
TRIES = 20
"""So often a story is told for a point that does not come: some writes of a status are made only when a scrape is late."""


@dataclass(frozen=True, slots=True)
class StoryRun:
    """What was written, where the controller was killed, what users met, and how it ended."""

    writes: Sequence[Write]
    killed: Sequence[Point]
    twice: Sequence[str]
    end: JSON
    report: LoadReport

    @property
    def sent(self) -> int:
        return self.report.sent

    @property
    def lost(self) -> Mapping[str, int]:
        """How many requests were lost, by the reason."""
        return self.report.lost_reasons

    @property
    def failed(self) -> int:
        """How many requests failed that were not answered by a version that is to fail."""
        versions = self.report.versions.items()
        return sum(each.failed for name, each in versions if not name.startswith(BAD))

    @property
    def lag_seconds(self) -> float:
        """How late a request left at worst: a machine that is so busy loses requests, too."""
        return self.report.lag_seconds

    def account(self) -> Iterator[str]:
        """Yield what was written when, and when requests were lost or failed, in the order of the clock."""
        lines = [
            (each.at, f"{each.verb} {each.status} {each.words}", each.body[:400].decode())
            for each in self.writes
        ]
        lines += [
            (each.at, f"of {each.sent} requests {each.lost} lost, {each.failed} failed", "")
            for each in self.report.seconds
            if each.lost or each.failed
        ]
        yield f"killed {'; '.join(map(str, self.killed)) or 'nowhere'}"
        for at, what, body in sorted(lines):
            yield f"{at:%H:%M:%S.%f} {what} {body}".rstrip()


class StoryRunner:
    """Tells one story in one namespace, again and again."""

    def __init__(self, story: Story, release: Release, controller: ProxiedController) -> None:
        self.story = story
        self._release = release
        self._controller = controller
        self._times = 0
        release.patience_seconds = PATIENCE_SECONDS

    @property
    def is_real(self) -> bool:
        """Whether it is told on a real control plane."""
        return self._release.sandbox.is_real

    async def opens(self) -> None:
        """Begin, and tell the story once: from then on each telling leaves the same."""
        await self.story.opens(self._release)
        await self.run()

    async def run(
        self, points: Iterable[Point] = (), interference: Interference | None = None
    ) -> StoryRun:
        """Tell it with the controller killed at these points, as far as they come, or with something else."""
        release, controller, kills = (
            self._release,
            self._controller,
            Kills(self._controller, points),
        )
        begin, before = len(controller.proxy.writes), release.stable
        controller.proxy.interference = interference or kills
        async with release.traffic(RATE, url=self.story.url(release)) as load:
            await release.serves(load, 1)
            await self.story.happens(release, load, self._times)
            await controller.is_quiet(release)
        controller.proxy.interference = Undisturbed()
        self._times += 1
        writes = controller.proxy.writes[begin:]
        return StoryRun(
            writes=writes,
            killed=tuple(kills.killed),
            twice=written_twice(writes),
            end=end_state(release, before),
            report=load.report(),
        )

    async def run_at_each(self, points: Iterable[Point]) -> list[StoryRun]:
        """Tell it until the controller was killed at all of the points, or some never come."""
        left, runs = list(points), list[StoryRun]()
        while left and len(runs) < TRIES:
            runs.append(await self.run(left))
            left = [each for each in left if each not in runs[-1].killed]
        return runs
