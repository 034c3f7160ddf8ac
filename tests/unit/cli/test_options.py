"""What the options of `controller`, `manifests` and the demo's end amount to."""

import io
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from rollouts.cli import main
from rollouts.cli.controller import OPTIONS, controller_settings
from rollouts.cli.demo import findings, result_table
from rollouts.cli.main import program_name
from rollouts.cli.session import GlobalOptions, complete_rollout
from rollouts.controller.router_pages import RouterPlace
from rollouts.controller.settings import ControllerSettings
from rollouts.errors import Unavailable, UsageError
from rollouts.sandbox.release_report import Release, went_well
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import healthy, rollout

Run = Callable[..., Ran]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ControllerSettings]:
    """Settings of controllers that would have been run."""
    runs: list[ControllerSettings] = []

    def run_controller(settings: ControllerSettings) -> int:
        runs.append(settings)
        return 0

    monkeypatch.setattr("rollouts.bootstrap.run_controller", run_controller)
    return runs


def test_options_default_to_the_defaults_of_the_settings(
    rollouts: Run, started: list[ControllerSettings]
) -> None:
    assert rollouts("controller").code == 0
    assert started == [ControllerSettings()]


def test_each_option_reaches_its_setting(rollouts: Run, started: list[ControllerSettings]) -> None:
    arguments = [
        *("--kubeconfig", "k", "--context", "c", "-n", "a", "--namespace", "b"),
        *("--prometheus", "http://p", "--prometheus-header", "X-Scope: shop"),
        *("--prometheus-username", "me", "--prometheus-password-file", "w"),
        *("--prometheus-ca-file", "ca", "--prometheus-cert-file", "ours"),
        *("--prometheus-key-file", "key", "--prometheus-insecure-skip-verify"),
        *("--prometheus-replica-label", "site", "--prometheus-replica-label", "rack"),
        *("--prometheus-token-file", "t", "--interval", "1m", "--address", "::1", "--port", "1"),
        *("--leader-elect", "--lease-namespace", "l", "--workers", "2", "--log-level", "debug"),
        *("--log-format", "text", "--notify-webhook", "http://w"),
        *("--notify-webhook-file", "url"),
        *("--readings-per-second", "100", "--readings-token-file", "rt"),
        *("--readings-router", "edge", "--readings-router", "other/metrics"),
        *("--readings-ca-file", "rca", "--readings-insecure-skip-verify"),
    ]
    assert rollouts("controller", *arguments).code == 0
    (settings,) = started
    assert settings == ControllerSettings(
        kubeconfig=Path("k"),
        context="c",
        namespaces=("a", "b"),
        prometheus_url="http://p",
        prometheus_headers={"X-Scope": "shop"},
        prometheus_token_file=Path("t"),
        prometheus_username="me",
        prometheus_password_file=Path("w"),
        prometheus_ca_file=Path("ca"),
        prometheus_cert_file=Path("ours"),
        prometheus_key_file=Path("key"),
        prometheus_insecure_skip_verify=True,
        prometheus_replica_labels=("site", "rack"),
        readings_per_second=100,
        readings_router=(RouterPlace("edge"), RouterPlace("other", "metrics")),
        readings_token_file=Path("rt"),
        readings_ca_file=Path("rca"),
        readings_insecure_skip_verify=True,
        interval_seconds=60,
        address="::1",
        port=1,
        leader_elect=True,
        lease_namespace="l",
        workers=2,
        log_level="debug",
        log_format="text",
        notify_webhook="http://w",
        notify_webhook_file=Path("url"),
    )
    assert len(OPTIONS) == len(fields(ControllerSettings))


def test_an_empty_replica_label_means_that_there_is_none(
    rollouts: Run, started: list[ControllerSettings]
) -> None:
    assert rollouts("controller", "--prometheus-replica-label", "").code == 0
    assert started[0].prometheus_replica_labels == ()


def test_a_header_that_is_none_is_not_shown(
    rollouts: Run, started: list[ControllerSettings]
) -> None:
    for text in ("Bearer sesame", "Authorization: Bearer\nsesame", "Authorization: sesameé"):
        ended = rollouts("controller", "--prometheus-header", text)
        assert (ended.code, started) == (2, [])
        assert "sesame" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--interval", "0"],
        ["--interval", "often"],
        ["--prometheus-header", "nonsense"],
        ["--port", "99999"],
        ["--readings-router", "edge/"],
        ["--log-level", "loud"],
    ],
)
def test_a_value_that_can_not_be_used_is_wrong_usage(
    rollouts: Run, started: list[ControllerSettings], arguments: list[str]
) -> None:
    assert rollouts("controller", *arguments).code == 2
    assert started == []


def test_a_negative_answer_is_the_controllers_own() -> None:
    given: dict[str, Any] = {name: default for name, (_, default) in OPTIONS.items()}
    with pytest.raises(UsageError, match="--interval"):
        controller_settings({**given, "interval": "-1"})


def test_manifests_say_what_was_chosen(rollouts: Run) -> None:
    printed = rollouts("manifests", "-n", "delivery", "--image", "registry/rollouts:9").out
    documents = list(yaml.safe_load_all(printed))
    (deployment,) = [each for each in documents if each["kind"] == "Deployment"]
    assert deployment["metadata"]["namespace"] == "delivery"
    assert "registry/rollouts:9" in printed


def test_the_program_is_called_as_it_was_typed() -> None:
    assert program_name("/usr/bin/rollouts") == "rollouts"
    assert program_name("/usr/bin/kubectl-rollouts") == "kubectl rollouts"
    assert program_name("/x/rollouts/__main__.py") == "python -m rollouts"


def test_names_are_completed_and_a_silent_cluster_disturbs_nobody(
    rollouts: Run, cluster: FakeRequests
) -> None:
    found: list[list[str]] = []

    def complete() -> None:
        found.append(complete_rollout(FakeContext(settings), "che"))  # type: ignore[arg-type]

    class FakeContext:
        params: dict[str, Any] = {}  # noqa: RUF012 - a stand-in

        def __init__(self, given: GlobalOptions) -> None:
            self.given = given

        def find_object(self, _type: type[GlobalOptions]) -> GlobalOptions:
            return self.given

    settings = GlobalOptions(connect=rollouts.connect)  # type: ignore[attr-defined]
    cluster.add("Rollout", rollout(1, healthy(1)), rollout(1, name="cart"))
    complete()
    cluster.broken = Unavailable("no answer")
    complete()
    assert found == [["checkout"], []]


def release(name: str, **changes: Any) -> Release:
    base: dict[str, Any] = {
        "outcome": "promoted",
        "as_planned": True,
        "message": "fine",
        "duration_seconds": 25.5,
        "requests": 1899,
        "failed_requests": 0,
        "lost_requests": 0,
        "canary_requests": 431,
        "canary_failed_requests": 0,
        "stable_requests": 842,
        "stable_failed_requests": 0,
    }
    return Release(name=name, **{**base, **changes})


def test_the_demo_ends_with_what_a_reader_asks_first() -> None:
    bad = release(
        "bad",
        outcome="rolled-back",
        rollback_seconds=4.29,
        rollback_failed_requests=5,
        rollback_measured_by="canary-weight 0",
    )
    console = Console(file=io.StringIO(), width=80)
    console.print(result_table([release("good"), bad]))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for words in ("promoted", "rolled-back", "4.3 s", "canary-weight 0", "lost because of"):
        assert words in text
    assert went_well([release("good"), bad])


def test_a_demo_that_went_wrong_says_how() -> None:
    late = release("good", outcome="timed-out", as_planned=False, message="waits")
    lossy = release("bad", lost_requests=2, lost_reasons={"HTTP 502 not from the app": 2})
    assert not went_well([late])
    assert not went_well([lossy])
    assert findings([late, lossy]) == [
        "release good is timed-out: waits",
        "release bad lost 2 requests: 2 × HTTP 502 not from the app",
    ]


def test_an_installation_without_the_sandbox_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def sandbox(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'cel'", name="cel")

    monkeypatch.setattr("rollouts.sandbox.environment.Sandbox", sandbox)
    code = main.run(["sandbox", "up", "--dir", str(tmp_path)], GlobalOptions())
    assert code == 1
    assert "the sandbox is not installed" in capsys.readouterr().err


def test_a_format_that_there_is_not_is_answered_with_those_that_there_are(rollouts: Run) -> None:
    ran = rollouts("wait", "checkout", "-o", "wide")
    assert ran.code == 2
    assert "there is no format wide; choose from text, json, yaml" in ran.err
    assert "Value error" not in ran.err


def test_get_takes_the_formats_of_list(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    assert rollouts("get", "checkout", "-o", "wide").out == rollouts("get", "checkout").out
