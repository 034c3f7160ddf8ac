"""A real API server's audit log, as entries of ours."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.control_plane.audit_file import AuditFile


def line(verb: str = "patch", stage: str = "ResponseComplete", **more: Any) -> str:
    event = {
        "stage": stage,
        "verb": verb,
        "user": {"username": "system:serviceaccount:rollouts:rollouts", "groups": ["x"]},
        "userAgent": "rollouts/0.1.0",
        "objectRef": {
            "resource": "ingresses",
            "namespace": "shop",
            "name": "web",
            "apiGroup": "networking.k8s.io",
            "apiVersion": "v1",
            "subresource": "status",
        },
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-11-30T03:03:15.586666Z",
    }
    return json.dumps(event | more) + "\n"


def test_a_request_is_one_entry(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    assert AuditFile(path).read() == []
    path.write_text(line())
    assert AuditFile(path).read() == [
        AuditEntry(
            at=datetime(2026, 11, 30, 3, 3, 15, 586666, tzinfo=UTC),
            user="system:serviceaccount:rollouts:rollouts",
            user_agent="rollouts/0.1.0",
            verb="patch",
            group="networking.k8s.io",
            resource="ingresses",
            subresource="status",
            namespace="shop",
            name="web",
            status=200,
        )
    ]


def test_a_watch_is_written_down_when_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(line("watch", "ResponseStarted") + line("watch") + line("get"))
    assert [each.verb for each in AuditFile(path).read()] == ["watch", "get"]


def test_what_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    text = line("create")
    path.write_text(line() + text[:20])
    audit = AuditFile(path)
    assert len(audit.read()) == 1
    with path.open("a") as file:
        file.write(text[20:])
    assert [each.verb for each in audit.read()] == ["patch", "create"]
    assert len(audit.read()) == 2
