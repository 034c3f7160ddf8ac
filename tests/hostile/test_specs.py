"""A Rollout that is huge or deep is said to be so, in few words, and its neighbours never notice."""

import json
from collections import Counter
from typing import Any

import pytest

from rollouts.errors import InvalidSpec
from rollouts.kube import deep_json
from rollouts.kube.cache import KindCache
from rollouts.kube.connection import _object_in
from rollouts.kube.paths import WatchScope
from rollouts.kube.reflector import parse_event
from rollouts.model.kinds import JSON, ROLLOUT
from rollouts.model.rollout_key import Key
from rollouts.model.validation import DEEPEST, parse_rollout
from rollouts.ports import Scope
from tests.fakes.control_loop import ControlLoop
from tests.hostile.specs import INVALID, VALID, nested
from tests.unit.controller.test_loop import Running

MOST_CHARACTERS = 5000
MOST_STATUS_BYTES = 32 * 1024


@pytest.mark.parametrize(("body", "field"), INVALID.values(), ids=INVALID)
async def test_what_is_wrong_is_named_in_few_words_and_nothing_begins(
    body: JSON, field: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_rollout(body)
    assert field in str(refused.value)
    assert len(str(refused.value)) < MOST_CHARACTERS
    loop = ControlLoop()
    loop.cluster.put(ROLLOUT, body)
    await loop.round()
    assert field in loop.status["message"]
    assert len(json.dumps(loop.status)) < MOST_STATUS_BYTES
    assert Counter(verb for verb, _ in loop.writes())["create"] <= 1, "the event"


@pytest.mark.parametrize("body", VALID.values(), ids=VALID)
async def test_what_is_at_its_limits_is_released(body: JSON) -> None:
    loop = ControlLoop()
    loop.cluster.put(ROLLOUT, body)
    await loop.round()
    assert loop.status["stableRevision"]["number"] == 1
    assert len(json.dumps(loop.status)) < MOST_STATUS_BYTES


def listed(*rollouts: JSON) -> str:
    """Return a list of Rollouts as an API server writes it, whatever Python can write."""
    items = [
        json.dumps(each).replace('"DEEP"', '{"a":' * 9000 + "1" + "}" * 9000) for each in rollouts
    ]
    return f'{{"metadata": {{"resourceVersion": "7"}}, "items": [{",".join(items)}]}}'


def of_name(name: str, **template: Any) -> JSON:
    metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "6"}
    return {"metadata": metadata, "spec": {"template": template, "note": '\\"}]{[" '}}


def test_one_rollout_that_is_too_deep_to_be_read_hides_no_other_in_a_list() -> None:
    read = _object_in(listed(of_name("a"), of_name("b", spec="DEEP"), of_name("c")))
    assert read is not None
    assert [each["metadata"]["name"] for each in read["items"]] == ["a", "b", "c"]
    assert read["items"][0] == of_name("a")
    assert read["items"][2] == of_name("c")
    with pytest.raises(InvalidSpec, match=rf"spec.template: is nested more than {DEEPEST} levels"):
        parse_rollout(
            {
                "spec": {
                    **VALID["100 steps"]["spec"],
                    "template": read["items"][1]["spec"]["template"],
                }
            }
        )


def test_nor_in_a_watch() -> None:
    line = f'{{"type": "ADDED", "object": {json.dumps(of_name("b", spec="DEEP"))}}}'
    deep = line.replace('"DEEP"', "[" * 9000 + "]" * 9000).encode()
    event, found = parse_event(deep)
    assert (event, found["metadata"]["name"]) == ("ADDED", "b")


def test_what_is_too_deep_to_be_compared_has_changed() -> None:
    cache = KindCache(ROLLOUT, Scope())
    deep = of_name("b", spec=nested(5000))
    for version in ("7", "8"):
        listed = cache.replace(WatchScope(), [deep | {"metadata": dict(deep["metadata"])}], version)
        assert [ref.name for ref in listed.differing] == ["b"]
        deep = of_name("b", spec=nested(5000))


@pytest.mark.parametrize(
    "text", ["{" * 5000, '{"a":' * 5000 + "}" * 4990, '["' * 5000, "[" * 5000 + "}"]
)
def test_what_is_deep_and_no_json_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own
        deep_json.loads(text)


async def test_a_neighbour_is_released_while_all_of_these_are_wrong() -> None:
    running = Running()
    for number, (body, _) in enumerate([*INVALID.values()][::3]):
        running.cluster.put(
            ROLLOUT, body | {"metadata": {"namespace": "other", "name": f"wrong-{number}"}}
        )
    running.put()
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        await running.until(lambda: running.status(Key("other", "wrong-0")) != {})
    assert (
        'rollouts_reconciles_total{outcome="bug"} 0.0'
        in running.controller.metrics.render().decode()
    )
