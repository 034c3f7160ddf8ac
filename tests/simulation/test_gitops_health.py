"""What Argo CD and Flux are told of a Rollout: their scripts, run on every state of simulated releases."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cel
import pytest
import yaml
from lupa.lua51 import LuaRuntime

from rollouts.cli.wait_outcome import needs_person
from rollouts.controller.commands import read_command
from rollouts.model.kinds import JSON, ROLLOUT
from rollouts.model.status import RolloutStatus
from tests.simulation.kubelets import Behaviour
from tests.simulation.starting_points import deployed
from tests.simulation.story import Story

DOCS = Path(__file__).parents[2] / "docs"
CONFIG_MAP = DOCS / "argo-cd" / "argocd-cm.yaml"
(HEALTH, ACTIONS) = yaml.safe_load(CONFIG_MAP.read_text())["data"].values()
DEFINITIONS: dict[str, str] = {
    each["name"]: each["action.lua"] for each in yaml.safe_load(ACTIONS)["definitions"]
}
KUSTOMIZATION = yaml.safe_load((DOCS / "flux" / "kustomization.yaml").read_text())
(OF_ROLLOUTS,) = KUSTOMIZATION["spec"]["healthCheckExprs"]
AS_ARGO_CD_SAYS = {
    "Healthy": "current",
    "Degraded": "failed",
    "Suspended": "inProgress",
    "Progressing": "inProgress",
}
NAME_OF = {
    "health": "resource.customizations.health.rollouts.dev_Rollout",
    "actions": "resource.customizations.actions.rollouts.dev_Rollout",
}


def ran(script: str, obj: JSON) -> Any:
    """Return what a script makes of an object, in Lua 5.1 as Argo CD has it, without its libraries."""
    lua = LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    run = lua.execute(f"return function(obj)\n{script}\nend")
    return plain(run(lua.table_from(obj, recursive=True)))


def plain(value: Any) -> Any:
    return {key: plain(value[key]) for key in value} if hasattr(value, "keys") else value


def health(rollout: JSON) -> tuple[str, str]:
    found = ran(HEALTH, rollout)
    return found["status"], found["message"]


def enabled(rollout: JSON) -> set[str]:
    found: Mapping[str, Mapping[str, bool]] = ran(yaml.safe_load(ACTIONS)["discovery.lua"], rollout)
    assert set(found) == set(DEFINITIONS)
    return {name for name, each in found.items() if not each["disabled"]}


def good(story: Story) -> None:
    story.release("shop:2", Behaviour())
    story.settle()


def bad(story: Story) -> None:
    story.release("shop:2", Behaviour(error_rate=0.5))
    story.settle()


def paused_and_resumed(story: Story) -> None:
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.status.current_revision != it.status.stable_revision)
    story.command("pause", "1")
    story.run_until(lambda it: it.status.pause)
    story.command("resume", "2")
    story.settle()


def unmeasured(story: Story) -> None:
    story.monitor.blind = True
    story.release("shop:2", Behaviour())
    story.settle()


def invalid(story: Story) -> None:
    story.edit({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 500}]}}}})
    story.settle()


ENDINGS: dict[str, tuple[Callable[[Story], None], set[str]]] = {
    "promoted": (good, {"Healthy"}),
    "rolled back": (bad, {"Degraded"}),
    "paused by a person": (paused_and_resumed, {"Suspended", "Healthy"}),
    "nothing was measured": (unmeasured, {"Suspended"}),
    "the spec is invalid": (invalid, {"Degraded"}),
}


def states(ending: Callable[[Story], None], setup: str) -> Iterator[tuple[Story, JSON]]:
    """Yield the Rollout as it was after each reconcile."""
    story, seen = deployed(setup, 1), list[JSON]()
    before = Story.reconcile

    def reconcile(self: Story) -> None:
        before(self)
        seen.append(self.rollout)

    story.reconcile = reconcile.__get__(story)  # type: ignore[method-assign]
    ending(story)
    yield from ((story, each) for each in seen)


@pytest.mark.parametrize(
    ("ending", "setup"),
    [
        *((ending, "router") for ending in ENDINGS),
        ("promoted", "blue-green"),
        ("rolled back", "gateway"),
    ],
)
def test_health_is_that_of_the_release_in_every_state(ending: str, setup: str) -> None:
    play, expected = ENDINGS[ending]
    found = set()
    for story, rollout in states(play, setup):
        status = RolloutStatus.model_validate(rollout["status"])
        word, message = health(rollout)
        found.add(word)
        seen = status.observed_generation >= rollout["metadata"]["generation"]
        if word == "Healthy":
            assert (seen, status.phase) == (True, "Healthy")
        assert (word == "Suspended") == (seen and status.phase == "Paused")
        if word == "Suspended":
            assert message == status.message
        if word == "Degraded":
            assert status.abort is not None or status.phase == "Degraded"
            assert message
        if seen and status.abort is None and needs_person(rollout, status, story.clock.now()):
            assert word in ("Suspended", "Degraded")
    assert expected <= found <= expected | {"Progressing", "Healthy"}


def flux_says(rollout: JSON) -> list[str]:
    """Return which of the expressions hold."""
    found = {name: OF_ROLLOUTS[name] for name in ("inProgress", "failed", "current")}
    return [name for name, each in found.items() if cel.compile(each).execute(dict(rollout))]


@pytest.mark.parametrize("ending", ENDINGS)
def test_flux_and_argo_cd_say_the_same_in_every_state(ending: str) -> None:
    assert (OF_ROLLOUTS["apiVersion"], OF_ROLLOUTS["kind"]) == (ROLLOUT.api_version, ROLLOUT.name)
    play, _ = ENDINGS[ending]
    for _, rollout in states(play, "router"):
        word, _ = health(rollout)
        assert flux_says(rollout) == [AS_ARGO_CD_SAYS[word]]


def test_before_the_controller_has_seen_it_it_is_progressing() -> None:
    assert health({"metadata": {"name": "web", "generation": 1}})[0] == "Progressing"
    stale = {"metadata": {"generation": 3}, "status": {"phase": "Healthy", "observedGeneration": 2}}
    assert health(stale)[0] == "Progressing"
    assert flux_says(stale) == ["inProgress"]


def test_actions_are_those_that_are_possible_and_are_commands() -> None:
    story = deployed("router", 1)
    assert enabled(story.rollout) == set()
    story.release("shop:2", Behaviour())
    story.run_until(lambda it: it.route == 5)
    assert enabled(story.rollout) == {"promote", "abort", "pause"}
    for verb, script in DEFINITIONS.items():
        command, unreadable = read_command(ran(script, story.rollout))
        assert command is not None
        assert (command.verb, unreadable) == (verb, "")
    story.command("pause", "1")
    story.run_until(lambda it: it.status.pause)
    assert enabled(story.rollout) == {"promote", "abort", "resume"}
    story.command("abort", "2")
    story.run_until(lambda it: it.status.abort)
    assert enabled(story.rollout) == {"retry"}


def test_they_are_under_the_names_that_argo_cd_looks_for() -> None:
    assert list(yaml.safe_load(CONFIG_MAP.read_text())["data"]) == list(NAME_OF.values())
