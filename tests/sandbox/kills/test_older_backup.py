"""
A real API server comes back from an older backup, in the middle of a release: it ends as ever, and nothing is lost.

What happened between the backup and the disaster never did, as far as anybody can know: not the weight that users
have by then, not the Service that was switched. Pods are what they are.

Where the pods that a Service selected in the backup have ended since, nobody answers until the cluster has found that
out: EndpointSlices come from the backup, too. That is the one loss, and it is bounded.
"""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rollouts.model.kinds import JSON, REPLICA_SET, SERVICE
from rollouts.model.routers.nginx import INGRESS
from tests.sandbox.kills.disasters import back_up, come_back, plane_of, whole
from tests.sandbox.kills.points import Side
from tests.sandbox.kills.proxied_controller import KillSandbox, proxied_controller
from tests.sandbox.kills.proxy import Severed, Write
from tests.sandbox.kills.stories import BLUE_GREEN, CANARY, Story
from tests.sandbox.kills.story_runner import RATE, StoryRunner
from tests.sandbox.kills.trial import differences
from tests.sandbox.releases import manifests

pytestmark = [pytest.mark.sandbox, pytest.mark.nightly, pytest.mark.timeout(1800)]


@dataclass(frozen=True, slots=True)
class Moment:
    """Before or after the first write of which this is true."""

    side: Side
    of: Callable[[Write], bool]


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost: all from the moment of the backup to that of the disaster."""

    what: str
    backed_up: Moment
    comes_back: Moment
    selected_pods_ended: bool = False
    """Whether the pods have ended by then that the Service of the backup selects."""


def says(write: Write, *path: str) -> Any:
    """Return what a write says at a path; None for nothing."""
    found = json.loads(write.body or "{}")
    for name in path:
        found = found.get(name) or {} if isinstance(found, dict) else {}
    return found or None


def routes(percent: int) -> Callable[[Write], bool]:
    """Is it what gives the canary its weight?"""
    weight = ("metadata", "annotations", f"{manifests.ANNOTATION}/canary-weight")
    return lambda write: (
        write.target.plural == INGRESS.plural and says(write, *weight) == str(percent)
    )


def confirms(percent: int) -> Callable[[Write], bool]:
    """Is it what says in status that users have the weight?"""
    return lambda write: (
        write.target.subresource == "status"
        and says(write, "status", "weights", "applied") == percent
    )


def switches(write: Write) -> bool:
    """Is it what has the stable, or active, Service select the new revision?"""
    return (
        write.target.plural == SERVICE.plural
        and write.name == manifests.STABLE
        and says(write, "spec", "selector") is not None
    )


def lets_go(write: Write) -> bool:
    """Is it what has the pods of the revision before end?"""
    return write.target.plural == REPLICA_SET.plural and says_zero(write)


def says_zero(write: Write) -> bool:
    spec = json.loads(write.body or "{}").get("spec")
    return isinstance(spec, dict) and spec.get("replicas") == 0


OF_A_CANARY = (
    Loss("the route had moved", Moment("before", routes(25)), Moment("after", confirms(25))),
    Loss("a step was entered", Moment("after", confirms(25)), Moment("after", routes(50))),
    Loss("it was promoted", Moment("after", routes(100)), Moment("after", switches)),
)
_UNSWITCHED = Moment("before", switches)
OF_A_BLUE_GREEN = (
    Loss("it was switched", _UNSWITCHED, Moment("after", confirms(100))),
    Loss("the pods before were to end", _UNSWITCHED, Moment("before", lets_go)),
    Loss(
        "the pods before have ended",
        _UNSWITCHED,
        Moment("after", lets_go),
        selected_pods_ended=True,
    ),
)
OF_THE_DISASTER = {"DriftCorrected", "StableDown"}
"""What the history says of it: a write of the lost future may be on its way, and is put back; pods have ended."""
FINDS_OUT_SECONDS = 5.0
"""How long a cluster that answers again takes to know which pods have ended, and to be switched away from them."""


def without_the_disaster(end: JSON) -> JSON:
    """Return how it ended, without what the history says of the disaster."""
    history = [each for each in end["status"]["history"] if each not in OF_THE_DISASTER]
    return {**end, "status": {**end["status"], "history": history}}


class ComesBack:
    """Backs etcd up, and puts it back to that: the controller doesn't hear of the write that it was doing then."""

    def __init__(self, sandbox: KillSandbox, copy: Path, loss: Loss) -> None:
        self.came_back = False
        self.lost_writes = 0
        self.seconds = 0.0
        """How long it took until all answered again."""
        self._backed_up = False
        self._plane = plane_of(sandbox)
        self._copy = copy
        self._loss = loss

    async def before(self, write: Write) -> web.Response | None:
        await self._at("before", write)
        return None

    async def after(self, write: Write) -> None:
        if write.succeeded:
            self.lost_writes += self._backed_up and not self.came_back
            await self._at("after", write)

    async def _at(self, side: Side, write: Write) -> None:
        loss = self._loss
        moment = loss.comes_back if self._backed_up else loss.backed_up
        if self.came_back or side != moment.side or not moment.of(write):
            return
        if not self._backed_up:
            self._backed_up = True
            await whole(back_up(self._plane, self._copy))
            return
        self.came_back = True
        began = time.monotonic()
        await whole(come_back(self._plane, self._copy))
        self.seconds = time.monotonic() - began
        raise Severed


@pytest.fixture
async def sandbox(control_plane_programs: Path, tmp_path: Path) -> AsyncIterator[KillSandbox]:
    async with KillSandbox(tmp_path / "sandbox", control_plane_programs) as made:
        yield made


@pytest.mark.parametrize(
    ("story", "losses"),
    [(CANARY, OF_A_CANARY), (BLUE_GREEN, OF_A_BLUE_GREEN)],
    ids=["canary", "blue-green"],
)
async def test_an_api_server_from_an_older_backup_leads_to_the_same_end(
    story: Story, losses: Sequence[Loss], sandbox: KillSandbox, tmp_path: Path
) -> None:
    async with proxied_controller(sandbox, "shop") as controller:
        runner = StoryRunner(story, sandbox.release("shop"), controller)
        await runner.opens()
        undisturbed = await runner.run()
        for number, loss in enumerate(losses):
            trouble = ComesBack(sandbox, tmp_path / f"backup-{number}", loss)
            run = await runner.run(interference=trouble)
            print(
                f"{story.name}, {loss.what}: {trouble.lost_writes} writes of {len(run.writes)} lost;"
                f" requests: {run.sent} sent, {run.lost} lost, {run.failed} failed"
            )
            assert trouble.came_back, loss.what
            unanswered = (trouble.seconds + FINDS_OUT_SECONDS) * loss.selected_pods_ended
            assert sum(run.lost.values()) <= RATE * unanswered, (loss.what, run.lost)
            assert run.failed == 0, loss.what
            end = without_the_disaster(run.end)
            assert end == undisturbed.end, (loss.what, differences(undisturbed.end, end))
