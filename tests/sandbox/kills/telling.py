"""A story told once, with the controller killed at some points of it, and what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rollouts.model.kinds import JSON
from rollouts.sandbox.load import LoadReport
from tests.sandbox.kills.end_state import end_state, written_twice
from tests.sandbox.kills.lane import Seated
from tests.sandbox.kills.points import Kills, Point
from tests.sandbox.kills.proxy import Interference, Undisturbed, Write
from tests.sandbox.kills.stories import BAD, Story
from tests.sandbox.releases.release import Release

RATE = 20.0
PATIENCE_SECONDS = 600.0
"""A controller that dies after each of its writes takes its time."""
TRIES = 20
"""So often a story is told for a point that does not come: some writes of a status are made only when a scrape is late."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What was written, where the controller was killed, what users met, and how it ended."""

    writes: Sequence[Write]
    killed: Sequence[Point]
    sent: int
    lost: Mapping[str, int]
    failed: int
    twice: Sequence[str]
    end: JSON


def failed(report: LoadReport) -> int:
    """Return how many requests failed that were not answered by a version that is to fail."""
    return sum(each.failed for name, each in report.versions.items() if not name.startswith(BAD))


class Teller:
    """Tells one story in one namespace, again and again."""

    def __init__(self, story: Story, release: Release, place: Seated) -> None:
        self.story = story
        self._release = release
        self._place = place
        self._times = 0
        release.patience_seconds = PATIENCE_SECONDS

    @property
    def is_real(self) -> bool:
        """Whether it is told on a real control plane."""
        return self._release.sandbox.is_real

    async def opens(self) -> None:
        """Begin, and tell the story once: from then on each telling leaves the same."""
        await self.story.opens(self._release)
        await self.tells()

    async def tells(
        self, points: Iterable[Point] = (), interference: Interference | None = None
    ) -> Telling:
        """Tell it with the controller killed at these points, as far as they come, or with something else."""
        release, place, kills = self._release, self._place, Kills(self._place, points)
        begin, before = len(place.proxy.writes), release.stable
        place.proxy.interference = interference or kills
        async with release.traffic(RATE, url=self.story.url(release)) as load:
            await release.serves(load, 1)
            await self.story.happens(release, load, self._times)
            await place.is_quiet(release)
        place.proxy.interference = Undisturbed()
        self._times += 1
        report, writes = load.report(), place.proxy.writes[begin:]
        return Telling(
            writes=writes,
            killed=tuple(kills.killed),
            sent=report.sent,
            lost=report.lost_reasons,
            failed=failed(report),
            twice=written_twice(writes),
            end=end_state(release, before),
        )

    async def tells_of(self, points: Iterable[Point]) -> list[Telling]:
        """Tell it until the controller was killed at all of the points, or some never come."""
        left, told = list(points), list[Telling]()
        while left and len(told) < TRIES:
            told.append(await self.tells(left))
            left = [each for each in left if each not in told[-1].killed]
        return told
