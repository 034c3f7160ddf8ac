"""The main job, from outside: two releases under traffic, and what is left when they are over."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from rollouts.errors import Permanent
from rollouts.sandbox.demo import read_example
from tests.metric_servers.choice import each_of, program_of
from tests.metric_servers.servers import (
    OLD_VICTORIA,
    PROMETHEUS,
    STARTED,
    VICTORIA,
    ServerKind,
    put_as_prometheus,
)

pytestmark = pytest.mark.sandbox

FIRST_WORDS = b"release 2.0 (good) is under way"


async def begin(scratch: Path, **variables: str) -> Process:
    environment = {**os.environ, "TMPDIR": str(scratch), **variables}
    command = [sys.executable, "-m", "rollouts", "demo", "--output", "json"]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)


def left_of(directory: Path) -> list[str]:
    """Return the files in the directory, and the command lines of processes that name it."""
    files = [str(path) for path in directory.iterdir()]
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended meanwhile
    return files + [line for line in lines if str(directory) in line]


@pytest.mark.timeout(300)
async def test_the_good_release_is_promoted_the_bad_one_rolled_back_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    await is_released_and_rolled_back(await begin(tmp_path))
    assert left_of(tmp_path) == []


@pytest.mark.nightly
@pytest.mark.timeout(300)
@each_of(PROMETHEUS, OLD_VICTORIA, VICTORIA)
async def test_the_demo_ends_the_same_with_each_metric_server(
    tmp_path: Path, kind: ServerKind
) -> None:
    programs, scratch = tmp_path / "bin", tmp_path / "scratch"
    scratch.mkdir()
    put_as_prometheus(kind, await program_of(kind), programs)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    await is_released_and_rolled_back(await begin(scratch, PATH=path))
    assert left_of(scratch) == []
    assert (programs / STARTED).exists(), "another one was taken"


async def is_released_and_rolled_back(demo: Process) -> None:
    out, err = await demo.communicate()
    assert demo.returncode == 0, err.decode()
    good, bad = json.loads(out)["releases"]
    assert (good["name"], good["outcome"]) == ("good", "promoted")
    assert (bad["name"], bad["outcome"]) == ("bad", "rolled-back")
    for release in (good, bad):
        assert release["lost_requests"] == 0
        assert release["duration_seconds"] < 60
        assert release["requests"] > 300
        assert release["canary_requests"] > 0
        assert release["stable_failed_requests"] == 0
    assert good["failed_requests"] == 0
    assert good["rollback_seconds"] is None
    assert bad["failed_requests"] == bad["rollback_failed_requests"] > 0
    assert 0 < bad["rollback_seconds"] < 30
    assert bad["rollback_measured_by"] in ("canary-weight 0", "last canary response")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_demo_that_is_told_to_end_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    demo = await begin(tmp_path)
    assert demo.stderr is not None
    async with asyncio.timeout(90):
        while FIRST_WORDS not in (line := await demo.stderr.readline()):
            assert line, "it ended by itself"
        demo.send_signal(number)
        out, err = await demo.communicate()
    assert demo.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    assert left_of(tmp_path) == []


def test_without_the_examples_the_demo_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="runs from a checkout"):
        read_example(tmp_path / "canary-nginx.yaml")
