"""
What the releases of a whole session ask of their API servers, held to what the controller is granted.

Each process of the suite notes what its sandboxes were asked, by their audit logs; the one that
gives out the work puts it together. A permission that is granted and that no release uses, or one
that a release lacked, fails the session. What a part of the suite does not use says nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rollouts.controller.manifests import CLUSTER_RULES, LEASE_RULES
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.crashes import CONTROLLER
from rollouts.traffic.gateway.policies import POLICIES
from tests.groups import RELEASES, file_of

Permission = tuple[str, str, str]
"""A group, a resource with its subresource, and a verb."""

ELSEWHERE = {
    "it comes with a definition that the sandbox has not; tests/contract/test_permissions.py installs it": [
        (kind.group, kind.plural, verb) for kind in POLICIES for verb in ("list", "watch")
    ],
    "a sandbox has one controller, which leads; tests/contract/test_permissions.py takes the Lease": [
        ("coordination.k8s.io", "leases", verb) for verb in ("get", "create", "patch")
    ],
    "a header route of a GRPCRoute is one of an HTTPRoute; tests/unit/controller/test_permissions_used.py": [
        ("gateway.networking.k8s.io", "grpcroutes", verb) for verb in ("create", "delete")
    ],
    "only an admission plugin asks for it; tests/contract/test_permissions.py turns that on": [
        ("rollouts.dev", "rollouts/finalizers", "update")
    ],
    "an Event is counted up when the same is said again, also by another controller; tests/contract/test_permissions.py": [
        ("", "events", verb) for verb in ("get", "patch")
    ],
    "no release here lives for longer than revisionHistoryLimit; tests/unit/controller/test_permissions_used.py": [
        ("apps", "replicasets", "delete"),
        ("rollouts.dev", "releaserecords", "delete"),
    ],
}
"""What no release of the suite need use: why, and where it is tried."""
UNUSED = {each for permissions in ELSEWHERE.values() for each in permissions}

USED: set[Permission] = set()
REFUSED: set[Permission] = set()
WORKER, OUTPUT = "workeroutput", "permissions"


def granted() -> set[Permission]:
    return {
        (group, resource, verb)
        for rule in [*CLUSTER_RULES, *LEASE_RULES]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(entry: AuditEntry) -> Iterator[Permission]:
    """Yield what a request needs; an apply that makes the object needs more."""
    resource = "/".join(filter(None, (entry.resource, entry.subresource)))
    yield entry.group, resource, entry.verb
    if entry.verb == "patch" and entry.status == 201:
        yield entry.group, resource, "create"


def note(entries: Iterable[AuditEntry]) -> None:
    """Note what a controller has asked of an API server."""
    for entry in entries:
        if CONTROLLER in entry.user and entry.resource:
            (REFUSED if entry.status == 403 else USED).update(needed(entry))


def mismatches(used: set[Permission], refused: set[Permission], *, whole: bool) -> list[str]:
    """Return what is wrong with what is granted; `whole`: every release was made."""
    found = [f"{_told(each)} is not granted" for each in sorted((used | refused) - granted())]
    if whole:
        idle = granted() - used
        found += [f"{_told(each)} is granted, and never used" for each in sorted(idle - UNUSED)]
    return found


def _told(permission: Permission) -> str:
    group, resource, verb = permission
    return f"{verb} {resource}{'.' * bool(group)}{group}"


class Plugin:
    """Puts together what all processes have noted, and judges it at the end."""

    def __init__(self) -> None:
        self._used: set[Permission] = set()
        self._refused: set[Permission] = set()
        self._files: set[str] = set()
        self._left_out = False
        self._whole = False
        self._mismatches: list[str] = []

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note which releases are left out, but for those that are made by night alone."""
        self._files |= {file_of(item.nodeid) for item in items}
        by_day = (each for each in items if each.get_closest_marker("nightly") is None)
        self._left_out |= any(file_of(each.nodeid).startswith(RELEASES) for each in by_day)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._files |= {file_of(item.nodeid) for item in session.items}
        folder = Path(__file__).parent / RELEASES
        every = {f"{RELEASES}{each.name}" for each in folder.glob("test_*.py")}
        left_out = self._left_out or session.config.option.collectonly
        self._whole = every <= self._files and not left_out

    @pytest.hookimpl(optionalhook=True)  # without xdist nobody asks
    def pytest_testnodedown(self, node: Any) -> None:
        noted = getattr(node, WORKER, {}).get(OUTPUT)
        if noted is not None:
            self._used |= {tuple(each) for each in noted["used"]}
            self._refused |= {tuple(each) for each in noted["refused"]}
            self._whole = noted["whole"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, WORKER, None)
        if output is not None:
            lists = {"used": sorted(USED), "refused": sorted(REFUSED)}
            output[OUTPUT] = {**lists, "whole": self._whole}
            return
        whole = self._whole and session.exitstatus == pytest.ExitCode.OK
        used, refused = self._used | USED, self._refused | REFUSED
        self._mismatches = mismatches(used, refused, whole=whole)
        if self._mismatches and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._mismatches:
            terminalreporter.section("the controller's permissions")
        for each in self._mismatches:
            terminalreporter.write_line(each)
