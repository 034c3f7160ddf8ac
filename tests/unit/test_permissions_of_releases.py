"""What is said at the end of the suite, when the controller has other permissions than its releases use."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from rollouts.sandbox.apiserver.audit import AuditEntry
from tests import permissions
from tests.groups import RELEASES
from tests.permissions import OUTPUT, UNUSED, Permission, Plugin, granted, mismatches, needed

SERVICES = ("", "services", "create")
SECRETS = ("", "secrets", "get")


def entry(verb: str, status: int, subresource: str = "") -> AuditEntry:
    return AuditEntry(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        user="system:serviceaccount:rollouts:rollouts",
        user_agent="rollouts",
        verb=verb,
        group="apps",
        resource="replicasets",
        subresource=subresource,
        namespace="shop",
        name="web",
        status=status,
    )


def test_a_suite_that_uses_what_is_granted_has_nothing_to_say() -> None:
    assert mismatches(granted() - UNUSED, set(), whole=True) == []


def test_what_no_release_uses_is_said_once_all_were_made() -> None:
    used = granted() - UNUSED - {SERVICES}
    assert mismatches(used, set(), whole=True) == ["create services is granted, and never used"]
    assert mismatches(used, set(), whole=False) == []


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_refused_for_want_of_a_permission_is_always_said(whole: bool) -> None:
    used = granted() - UNUSED
    assert mismatches(used, {SECRETS}, whole=whole) == ["get secrets is not granted"]
    assert mismatches(used, {SERVICES}, whole=whole) == [], "a quota refuses what is granted"


def test_an_apply_that_makes_an_object_needs_two() -> None:
    assert [each[2] for each in needed(entry("patch", 201))] == ["patch", "create"]
    assert [each[2] for each in needed(entry("patch", 200))] == ["patch"]
    assert [each[1] for each in needed(entry("patch", 200, "status"))] == ["replicasets/status"]


class Session:
    """As much of a session of pytest as is looked at."""

    def __init__(self, **config: object) -> None:
        self.config = SimpleNamespace(**config)
        self.exitstatus: int = pytest.ExitCode.OK
        self.items: list[Item] = []


@pytest.mark.parametrize("left_out", [set(), {SERVICES}])
def test_what_each_process_has_noted_is_put_together_and_fails_the_suite(
    monkeypatch: pytest.MonkeyPatch, left_out: set[Permission]
) -> None:
    used = sorted(granted() - UNUSED - left_out)
    plugin = Plugin()
    for noted in (used[::2], used[1::2]):
        output = {"used": noted, "refused": [], "whole": True}
        plugin.pytest_testnodedown(SimpleNamespace(workeroutput={OUTPUT: output}))
    monkeypatch.setattr(permissions, "USED", set())
    session = Session()
    plugin.pytest_sessionfinish(session)  # type: ignore[arg-type]
    assert bool(session.exitstatus) is bool(left_out)


def test_a_process_of_several_tells_the_first_what_it_has_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(permissions, "USED", {SERVICES})
    session = Session(workeroutput={})
    Plugin().pytest_sessionfinish(session)  # type: ignore[arg-type]
    assert session.config.workeroutput[OUTPUT]["used"] == [SERVICES]
    assert session.exitstatus == pytest.ExitCode.OK


class Item:
    """A test, as it is collected."""

    def __init__(self, file: str, mark: str = "") -> None:
        self.nodeid = f"tests/{RELEASES}{file}::test"
        self._mark = mark

    def get_closest_marker(self, name: str) -> str | None:
        return name if name == self._mark else None


FILES = [each.name for each in (Path(__file__).parents[1] / RELEASES).glob("test_*.py")]


@pytest.mark.parametrize(
    ("made", "left_out", "whole"),
    [
        ([Item(each) for each in FILES], [], True),
        ([Item(each) for each in FILES[1:]], [Item(FILES[0], "nightly")], True),
        ([Item(each) for each in FILES], [Item(FILES[0])], False),
        ([Item(FILES[0], "nightly")], [Item(each) for each in FILES], False),
        ([Item(each) for each in FILES[1:]], [], False),
    ],
    ids=["all", "by day", "some by name", "by night", "some files"],
)
def test_all_releases_were_made_when_only_those_of_the_night_were_left_out(
    made: list[Item], left_out: list[Item], whole: bool
) -> None:
    plugin, session = Plugin(), Session(workeroutput={}, option=SimpleNamespace(collectonly=False))
    session.items = made
    plugin.pytest_deselected(left_out)  # type: ignore[arg-type]
    plugin.pytest_collection_finish(session)  # type: ignore[arg-type]
    plugin.pytest_sessionfinish(session)  # type: ignore[arg-type]
    assert session.config.workeroutput[OUTPUT]["whole"] is whole
