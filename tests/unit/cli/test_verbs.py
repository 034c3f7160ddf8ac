import json
from collections.abc import Callable

import pytest

from rollouts.errors import Forbidden, Unauthorized, Unavailable, UsageError
from rollouts.model.kinds import COMMAND_ANNOTATION, JSON
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import (
    hash_of,
    healthy,
    pod,
    preflight,
    progressing,
    replica_set,
    rolled_back,
    rollout,
)

Run = Callable[..., Ran]


def answering(accepted: bool, message: str) -> Callable[[JSON], None]:
    """A controller that answers each command at once."""

    def answer(obj: JSON) -> None:
        command = json.loads(obj["metadata"]["annotations"][COMMAND_ANNOTATION])
        obj["status"]["lastCommand"] = {
            **{key: command[key] for key in ("id", "verb", "by", "at")},
            "accepted": accepted,
            "message": message,
        }

    return answer


# -- commands ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [
        (["promote"], "promote"),
        (["promote", "--full"], "promote-full"),
        (["abort", "--reason", "odd logs"], "abort"),
        (["retry"], "retry"),
        (["pause"], "pause"),
        (["resume"], "resume"),
        (["restart"], "restart"),
    ],
)
def test_a_command_names_who_and_which_revision_and_prints_the_answer(
    rollouts: Run, cluster: FakeRequests, arguments: list[str], verb: str
) -> None:
    cluster.add("Rollout", rollout(3, progressing(3)))
    cluster.on_patch = answering(accepted=True, message="done so")
    ran = rollouts(arguments[0], "checkout", *arguments[1:])
    assert (ran.code, ran.out) == (0, f"checkout: {verb}: done so\n")
    command = json.loads(cluster.patches[0]["metadata"]["annotations"][COMMAND_ANNOTATION])
    assert (command["verb"], command["revision"]) == (verb, hash_of(3))
    assert command["id"]
    assert command["by"]
    assert command["at"].endswith("Z")
    assert command.get("reason") == ("odd logs" if verb == "abort" else None)


@pytest.mark.parametrize("arguments", [["undo"], ["undo", "--to-revision", "2"]])
def test_undo_is_rollback(rollouts: Run, cluster: FakeRequests, arguments: list[str]) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.on_patch = answering(accepted=True, message="done so")
    ran = rollouts(arguments[0], "checkout", *arguments[1:])
    assert (ran.code, ran.out) == (0, "checkout: rollback: done so\n")
    command = json.loads(cluster.patches[0]["metadata"]["annotations"][COMMAND_ANNOTATION])
    assert command.get("to") == (arguments[2] if len(arguments) > 1 else None)


def test_describe_is_get_and_status_is_wait(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    assert rollouts("describe", "checkout").out == rollouts("get", "checkout").out
    assert rollouts("status", "checkout").out.endswith("is promoted\n")


@pytest.mark.parametrize(
    ("verb", "ours"),
    [
        ("dashboard", "--watch"),
        ("set", "set-image"),
        ("scale", "kubectl"),
    ],
)
def test_a_verb_of_other_tools_points_to_ours(rollouts: Run, verb: str, ours: str) -> None:
    ran = rollouts(verb, "checkout")
    assert ran.code == 2
    assert ran.err.startswith(f"rollouts: there is no verb {verb}: `")
    assert ours in ran.err


def test_aliases_are_not_in_the_help(rollouts: Run) -> None:
    assert "undo" not in rollouts("--help").out


def test_a_refusal_is_an_error(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    cluster.on_patch = answering(accepted=False, message="no rollout is under way")
    ran = rollouts("abort", "checkout")
    assert ran.code == 1
    assert "abort is refused: no rollout is under way" in ran.err


def test_without_a_controller_a_command_says_so(
    rollouts: Run, cluster: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollouts.cli.send_command.ANSWER_SECONDS", 0.05)
    cluster.add("Rollout", rollout(3, progressing(3)))
    ran = rollouts("promote", "checkout")
    assert ran.code == 1
    assert "no controller answered" in ran.err


def test_a_spec_that_was_never_valid_is_named(
    rollouts: Run, cluster: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollouts.cli.send_command.ANSWER_SECONDS", 0.05)
    monkeypatch.setattr("rollouts.cli.send_command.TURN_SECONDS", 0.05)
    held = {"type": "InvalidSpec", "status": "True", "message": "spec.steps: no such thing"}
    status = {**progressing(3), "conditions": [held]}
    cluster.add("Rollout", rollout(3, status))
    ran = rollouts("abort", "checkout")
    assert ran.code == 1
    assert (
        "was never valid, so no command can be carried out; correct it: spec.steps: no such"
        in ran.err
    )
    assert rollouts("promote", "checkout", "--no-wait", "--revision", "7").code == 0
    command = json.loads(cluster.patches[-1]["metadata"]["annotations"][COMMAND_ANNOTATION])
    assert command["revision"] == "7"


def test_an_invalid_spec_is_no_excuse_where_a_valid_one_is_in_force(
    rollouts: Run, cluster: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollouts.cli.send_command.ANSWER_SECONDS", 0.05)
    held = {"type": "InvalidSpec", "status": "True", "message": "spec.steps: no such thing"}
    status = {**progressing(3), "conditions": [held], "effectiveSpec": {"replicas": 3}}
    cluster.add("Rollout", rollout(3, status))
    assert "no controller answered" in rollouts("abort", "checkout").err


# -- set-image -----------------------------------------------------------------------------


def test_set_image_keeps_the_other_containers_and_tries_again_after_a_conflict(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(2, healthy(2)))
    cluster.conflicts = 2
    ran = rollouts("set-image", "checkout", "web=demo/checkout:3.0", "--output", "json")
    assert json.loads(ran.out) == {"rollout": "checkout", "hash": hash_of(3), "changed": True}
    (patch,) = cluster.patches
    assert patch["metadata"]["resourceVersion"] == "1"
    containers = patch["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["web", "proxy"]


def test_set_image_waits_for_its_own_revision(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(2, healthy(2)))
    cluster.script = [rollout(3, rolled_back(3))]
    ran = rollouts("set-image", "checkout", "web=demo/checkout:3.0", "--wait")
    assert ran.code == 1
    assert "was rolled back: errors" in ran.out


def test_set_image_to_what_it_has_changes_nothing(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(2, healthy(2)))
    ran = rollouts("set-image", "checkout", "web=demo/checkout:2.0")
    assert (ran.code, cluster.patches) == (0, [])
    assert "has these images already" in ran.out


@pytest.mark.parametrize(
    ("argument", "code", "words"),
    [
        ("web", 2, "expected CONTAINER=IMAGE"),
        ("wbe=x", 1, "the template has no container wbe; it has web, proxy"),
    ],
)
def test_set_image_refuses(
    rollouts: Run, cluster: FakeRequests, argument: str, code: int, words: str
) -> None:
    cluster.add("Rollout", rollout(2, healthy(2)))
    ran = rollouts("set-image", "checkout", argument)
    assert ran.code == code
    assert words in ran.err


# -- list, get -----------------------------------------------------------------------------


def test_list_is_a_table_and_a_document(rollouts: Run, cluster: FakeRequests) -> None:
    other = rollout(2, healthy(2), name="cart", namespace="other")
    cluster.add("Rollout", rollout(3, progressing(3)), other, rollout(1, name="new"))
    here = rollouts("list").out.splitlines()
    assert [line.split()[0] for line in here] == ["NAME", "checkout", "new"]
    assert here[1].split()[:7] == ["checkout", "Progressing", "4/7", "25", "%", "3", "2"]
    everywhere = rollouts("list", "-A", "--output", "wide").out
    assert "other" in everywhere
    assert "IMAGES" in everywhere
    items = json.loads(rollouts("list", "-o", "json", "-n", "other").out)["items"]
    assert [item["metadata"]["name"] for item in items] == ["cart"]


def test_an_empty_list_says_where_it_looked(rollouts: Run) -> None:
    assert rollouts("-n", "void", "list").out == "There are no Rollouts in namespace void.\n"


def test_get_shows_the_whole_release_without_colour(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, progressing(3)))
    cluster.add("ReplicaSet", replica_set(2, 4), replica_set(3, 2))
    cluster.add("Pod", pod(2, "aaaaa"), pod(3, "bbbbb", problem="CrashLoopBackOff", restarts=4))
    out = rollouts("get", "checkout").out
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines()) <= 80
    for words in (
        "shop/checkout  ● Progressing  canary through nginx",
        "25 % canary, 24.6 % served",
        "✓ 25 %",
        "▶ analysis 5m",
        "3 canary  demo/checkout:3.0",
        "CrashLoopBackOff",
        "4 restarts",
        "? errors",
        "1,900 more",
        "the canary has 25 % of the traffic",
    ):
        assert words in out


def test_get_as_json_is_the_status(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, progressing(3)))
    assert json.loads(rollouts("get", "rollout/checkout", "-o", "json").out)["step"] == "4/7"
    assert rollouts("get", "checkout", "-w", "-o", "json").code == 2


def test_a_watch_into_a_pipe_prints_what_changed_until_the_rollout_goes(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, progressing(3)))
    cluster.script = [None]
    ran = rollouts("get", "checkout", "--watch")
    assert ran.code == 1
    assert "was deleted" in ran.err


# -- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (Unavailable("GET /apis: connection refused"), 1, "the cluster does not answer"),
        (Forbidden("GET /apis: not permitted"), 1, "Ask for the permission"),
        (Unauthorized("GET /apis: not accepted"), 1, "Log in again or renew the token"),
        (UsageError("there is no kubeconfig: set KUBECONFIG"), 2, "set KUBECONFIG"),
    ],
)
def test_a_cluster_that_does_not_serve_us_is_one_sentence(
    rollouts: Run, cluster: FakeRequests, error: Exception, code: int, words: str
) -> None:
    cluster.broken = error  # type: ignore[assignment]
    for verb in (["list"], ["get", "checkout"], ["wait", "checkout"]):
        ran = rollouts(*verb)
        assert ran.code == code
        assert words in ran.err
        assert len(ran.err.splitlines()) == 1
        assert ran.out == ""


def test_a_bug_is_one_line_and_with_debug_a_traceback(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.broken = ZeroDivisionError("oh")  # type: ignore[assignment]
    ran = rollouts("list")
    assert ran.code == 1
    assert "this is a bug of rollouts: ZeroDivisionError: oh" in ran.err
    assert "--debug" in ran.err
    with pytest.raises(ZeroDivisionError):
        rollouts("--debug", "list")


def test_wrong_usage(rollouts: Run) -> None:
    for arguments in (["frobnicate"], ["get"], ["wait", "x", "--timeot", "3"]):
        assert rollouts(*arguments).code == 2


def test_crd_and_version_need_no_cluster(rollouts: Run) -> None:
    assert "kind: CustomResourceDefinition" in rollouts("crd").out
    assert rollouts("version").out[0].isdigit()


@pytest.mark.parametrize("name", ["", "deployment/checkout", "../x", "a b", "Ünicode"])
def test_a_name_of_no_rollout_is_wrong_usage(rollouts: Run, name: str) -> None:
    ran = rollouts("get", name)
    assert ran.code == 2
    assert "this is a bug" not in ran.err


# -- what a new user stumbled over ---------------------------------------------------------


def test_the_list_shows_brackets_as_they_are_and_the_step_that_runs(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, progressing(3, message="[/red] odd [bold]\x1b[31m\nx")))
    out = rollouts("list", "-o", "wide").out
    assert "[/red] odd [bold] [31m x" in out
    assert "\x1b" not in out
    assert " 4/7 " in out


def test_nothing_from_the_cluster_steers_the_terminal(rollouts: Run, cluster: FakeRequests) -> None:
    cluster.add("Rollout", rollout(3, {**rolled_back(3), "message": "a\x1b[2Jb\x07\nc"}))
    out = rollouts("get", "checkout").out
    assert "a [2Jb  c" in out
    cluster.objects["Rollout"][0]["status"]["abort"]["reason"] = "x\x1b]0;owned\x07y"
    for arguments in (["get", "checkout"], ["wait", "checkout"]):
        ran = rollouts(*arguments)
        assert not {"\x1b", "\x07"} & set(ran.out + ran.err)


def test_list_has_a_column_for_what_preflight_finds_when_there_is_any(
    rollouts: Run, cluster: FakeRequests
) -> None:
    cluster.add("Rollout", rollout(3, healthy(3)))
    assert "PREFLIGHT" not in rollouts("list").out
    found = preflight("TargetPortUnknown", "Service checkout leads to the port htpp")
    other = rollout(3, {**healthy(3), "conditions": [found]}, name="cart")
    cluster.add("Rollout", other)
    head, cart, checkout = rollouts("list").out.splitlines()
    assert head.split()[-1] == "PREFLIGHT"
    assert (cart.split()[-1], checkout.split()[-1]) == ("TargetPortUnknown", "–")
