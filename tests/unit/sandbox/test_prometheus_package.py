"""Where Prometheus comes from, with an apt-get of our own that needs no network."""

import asyncio
from pathlib import Path

import pytest

from rollouts.errors import Permanent
from rollouts.sandbox.prometheus_package import cache_directory, find_prometheus

DOWNLOADS = """#!/bin/sh
echo run >> "$LOG"
case "$*" in *download*) : > prometheus_2_all.deb;; esac
"""
UNPACKS = """#!/bin/sh
mkdir -p "$3/usr/bin" && echo program > "$3/usr/bin/prometheus"
"""
FAILS = """#!/bin/sh
echo "E: Unable to locate package prometheus"
exit 100
"""


class Machine:
    """A PATH with nothing but the programs that a test puts there, and a cache."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin, self.log, self.cache = root / "bin", root / "log", root / "cache"
        self.bin.mkdir()
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("LOG", str(self.log))
        monkeypatch.setenv("ROLLOUTS_CACHE", str(self.cache))
        for tool in ("mkdir", "sh", "echo"):
            (self.bin / tool).symlink_to(f"/bin/{tool}")

    def has(self, name: str, script: str) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


async def test_one_on_path_is_taken(machine: Machine) -> None:
    machine.has("prometheus", "#!/bin/sh\n")
    assert await find_prometheus(pytest.fail) == machine.bin / "prometheus"


async def test_the_package_is_downloaded_once_however_many_ask(machine: Machine) -> None:
    machine.has("apt-get", DOWNLOADS)
    machine.has("dpkg-deb", UNPACKS)
    said: list[str] = []
    found = await asyncio.gather(*(find_prometheus(said.append) for _ in range(3)))
    assert len(set(found)) == 1
    assert found[0].read_text() == "program\n"
    assert machine.log.read_text().count("run") == 2  # update and download
    assert await find_prometheus(pytest.fail) == found[0]
    assert sorted(each.name for each in found[0].parent.iterdir()) == sorted(
        ["lock", found[0].name]
    )
    assert said[0].startswith("Downloading Prometheus")


async def test_what_a_crash_left_is_cleared_away(machine: Machine) -> None:
    machine.has("apt-get", DOWNLOADS)
    machine.has("dpkg-deb", UNPACKS)
    left_over = machine.cache / "prometheus/download-abc"
    left_over.mkdir(parents=True)
    await find_prometheus(lambda _: None)
    assert not left_over.exists()


async def test_a_failed_download_says_why_and_what_to_install(machine: Machine) -> None:
    machine.has("apt-get", FAILS)
    machine.has("dpkg-deb", UNPACKS)
    with pytest.raises(Permanent, match=r"Unable to locate package.*apt-get install prometheus"):
        await find_prometheus(lambda _: None)


async def test_without_apt_it_says_what_to_do(machine: Machine) -> None:
    with pytest.raises(Permanent, match=r"not Debian or Ubuntu.*on PATH"):
        await find_prometheus(lambda _: None)


def test_the_cache_is_the_checkouts_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROLLOUTS_CACHE", raising=False)
    assert cache_directory() == Path(__file__).parents[3] / ".cache"
