"""What is offered while a line is typed, in a shell and by kubectl."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.cli import kubectl_completion, session
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import healthy, replica_set, rollout

Run = Callable[..., Ran]


@pytest.fixture
def offered(
    rollouts: Run,
    cluster: FakeRequests,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., list[str]]:
    """Return what kubectl is told for these words, the last one unfinished."""
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.add("ReplicaSet", replica_set(2, 0), replica_set(3, 4))
    for name in ("shop", "shipping", "kube-system"):
        cluster.add("Namespace", {"metadata": {"name": name, "namespace": ""}})

    def connect(_settings: session.GlobalOptions) -> Any:
        return connected()

    class connected:  # noqa: N801 - a context manager
        async def __aenter__(self) -> FakeRequests:
            return cluster

        async def __aexit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(session, "_connect", connect)
    for name in ("_ROLLOUTS_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        monkeypatch.setenv(name, "")

    def typed(*words: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["kubectl_complete-rollouts", *words])
        kubectl_completion.main()
        *lines, directive = capsys.readouterr().out.splitlines()
        assert directive == ":4"
        return [line for line in lines if line]

    return typed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rollb"], ["rollback"]),
        (["get", "ch"], ["checkout"]),
        (["get", "checkout", "-n", "sh"], ["shipping", "shop"]),
        (["set-image", "checkout", ""], ["proxy=", "web="]),
        (["rollback", "checkout", "--to", ""], ["2", "3"]),
        (["wait", "checkout", "--revision", "3"], ["3"]),
        (["wait", "checkout", "-o", "y"], ["yaml"]),
        (["rollback", "nobody", "--to", ""], []),
    ],
)
def test_kubectl_is_offered_what_may_stand_there(
    offered: Callable[..., list[str]], words: list[str], expected: list[str]
) -> None:
    assert offered(*words) == expected


def test_contexts_are_those_of_the_kubeconfig(
    offered: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump({"contexts": [{"name": "shop-eu"}, {"name": "test"}, 3]}))
    monkeypatch.setenv("KUBECONFIG", f"{file}:{tmp_path / 'absent'}")
    assert offered("get", "checkout", "--context", "s") == ["shop-eu"]
