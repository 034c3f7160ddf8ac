"""What a Rollout says is parsed once, and never longer believed than it says so."""

import copy
import sys
from typing import Any

import pytest

from rollouts.controller.parse_cache import ParseCache
from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON
from rollouts.model.rollout_key import Key
from tests.fakes.kubernetes import rollout

KEY = Key("shop", "checkout")


def rollout_of(generation: int = 1, **spec: Any) -> JSON:
    found = rollout([{"setWeight": 25}], **spec)
    found["metadata"]["generation"] = generation
    return found


def test_the_same_spec_and_status_are_parsed_once() -> None:
    cache, first = ParseCache(), {**rollout_of(), "status": {"phase": "Healthy"}}
    other = copy.deepcopy(first)
    assert cache.spec(other) is cache.spec(first)
    assert cache.status(other) is cache.status(first)


def test_another_status_is_read_anew_and_the_spec_is_not() -> None:
    cache = ParseCache()
    spec = cache.spec(rollout_of())
    before = cache.status(rollout_of())
    after = cache.status({**rollout_of(), "status": {"phase": "Paused"}})
    assert (before.phase if before else "", after.phase if after else "") == (
        "Progressing",
        "Paused",
    )
    assert cache.spec({**rollout_of(), "status": {"phase": "Paused"}}) is spec


@pytest.mark.parametrize("generation", [1, 2], ids=["from a backup", "an edit"])
def test_another_spec_is_parsed_anew_whatever_its_generation(generation: int) -> None:
    cache = ParseCache()
    cache.spec(rollout_of(replicas=4))
    found = cache.spec(rollout_of(generation, replicas=6))
    assert not isinstance(found.spec, InvalidSpec)
    assert (found.spec.replicas, found.spec_json["replicas"]) == (6, 6)


def test_what_is_wrong_is_said_again_until_it_is_right() -> None:
    cache, wrong = ParseCache(), rollout_of(replicas="many")
    assert isinstance(cache.spec(wrong).spec, InvalidSpec)
    assert cache.spec(copy.deepcopy(wrong)).spec is cache.spec(wrong).spec
    assert not isinstance(cache.spec(rollout_of(2)).spec, InvalidSpec)


def test_true_is_no_number_although_it_is_equal_to_one() -> None:
    cache = ParseCache()
    cache.spec(rollout_of(replicas=1))
    assert isinstance(cache.spec(rollout_of(2, replicas=True)).spec, InvalidSpec)


def test_a_template_that_can_t_be_compared_is_parsed_anew() -> None:
    """What can just be read may be too deep to be compared, and hides nothing: it is invalid."""
    cache, levels = ParseCache(), sys.getrecursionlimit()
    deep = [rollout_of(), rollout_of()]
    for body in deep:
        nested: JSON = {}
        for _ in range(levels):
            nested = {"a": nested}
        body["spec"]["template"]["spec"]["x"] = nested
    found = [cache.spec(body).spec for body in deep]
    assert "spec.template: is nested more than" in str(found[0])
    assert str(found[1]) == str(found[0])


def test_a_rollout_that_is_gone_is_forgotten() -> None:
    cache = ParseCache()
    first = cache.spec(rollout_of())
    cache.forget(KEY)
    assert cache.spec(rollout_of()) is not first
