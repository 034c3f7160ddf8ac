"""
The controller is killed before and after each of its writes: nobody notices, and all ends as ever.

By day a seed chooses one of the stories, and a tenth of its points. The night has all.
"""

import os
import random
from pathlib import Path

import pytest

from tests.sandbox.kills.proxied_controller import KillSandbox
from tests.sandbox.kills.stories import STORIES, Story
from tests.sandbox.kills.trial import Account, kill_all, kill_in_all

pytestmark = pytest.mark.sandbox

SHARE_BY_DAY = 0.1
SEED_BY_DAY = "3"
"""The same each day: what it chooses was seen to come to its end on a busy machine, too."""


def holds(account: Account) -> None:
    """See that it was killed as planned, that nobody noticed, and that all ended as ever."""
    print(account.model_dump_json(indent=2))
    assert account.problems == []
    assert account.killed == account.planned > 0
    assert (account.lost, account.failed, account.end_states) == ({}, 0, 1)


async def test_killed_at_a_tenth_of_the_writes_of_a_story_it_loses_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("ROLLOUTS_KILLS_SEED", SEED_BY_DAY))
    story = random.Random(seed).choice(STORIES)
    async with KillSandbox(tmp_path / "sandbox") as sandbox:
        for account in await kill_all(sandbox, story, SHARE_BY_DAY, seed, alone=False):
            holds(account)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
async def test_killed_at_every_write_it_loses_nothing(story: Story, tmp_path: Path) -> None:
    async with KillSandbox(tmp_path / "sandbox") as sandbox:
        for account in await kill_all(sandbox, story, 1.0, 0):
            holds(account)


@pytest.mark.nightly  # and not control_plane: on one version is enough for a night
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("programs", ["real"], indirect=True)
async def test_killed_at_every_write_to_a_real_api_server_it_loses_nothing(
    programs: Path, tmp_path: Path
) -> None:
    async with KillSandbox(tmp_path / "sandbox", programs) as sandbox:
        for account in await kill_in_all(sandbox, STORIES, 1.0, 0, lambda _: None):
            holds(account)


@pytest.fixture
def programs(control_plane_programs: Path) -> Path:
    """Where the programs of a real control plane are."""
    return control_plane_programs
