"""What a Rollout says is parsed once, and never longer believed than it says so."""

import copy
import sys
from typing import Any

import pytest

from rollouts.controller.parsed import Parsed
from rollouts.errors import InvalidSpec
from rollouts.model.kinds import JSON
from rollouts.model.rollout_key import Key
from tests.fakes.kubernetes import rollout

KEY = Key("shop", "checkout")


def said(generation: int = 1, **spec: Any) -> JSON:
    found = rollout([{"setWeight": 25}], **spec)
    found["metadata"]["generation"] = generation
    return found


def test_the_same_spec_and_status_are_parsed_once() -> None:
    parsed, first = Parsed(), {**said(), "status": {"phase": "Healthy"}}
    other = copy.deepcopy(first)
    assert parsed.written(other) is parsed.written(first)
    assert parsed.status(other) is parsed.status(first)


def test_another_status_is_read_anew_and_the_spec_is_not() -> None:
    parsed = Parsed()
    spec = parsed.written(said())
    before = parsed.status(said())
    after = parsed.status({**said(), "status": {"phase": "Paused"}})
    assert (before.phase if before else "", after.phase if after else "") == (
        "Progressing",
        "Paused",
    )
    assert parsed.written({**said(), "status": {"phase": "Paused"}}) is spec


@pytest.mark.parametrize("generation", [1, 2], ids=["from a backup", "an edit"])
def test_another_spec_is_parsed_anew_whatever_its_generation(generation: int) -> None:
    parsed = Parsed()
    parsed.written(said(replicas=4))
    found = parsed.written(said(generation, replicas=6))
    assert not isinstance(found.spec, InvalidSpec)
    assert (found.spec.replicas, found.said["replicas"]) == (6, 6)


def test_what_is_wrong_is_said_again_until_it_is_right() -> None:
    parsed, wrong = Parsed(), said(replicas="many")
    assert isinstance(parsed.written(wrong).spec, InvalidSpec)
    assert parsed.written(copy.deepcopy(wrong)).spec is parsed.written(wrong).spec
    assert not isinstance(parsed.written(said(2)).spec, InvalidSpec)


def test_true_is_no_number_although_it_is_equal_to_one() -> None:
    parsed = Parsed()
    parsed.written(said(replicas=1))
    assert isinstance(parsed.written(said(2, replicas=True)).spec, InvalidSpec)


def test_a_template_that_can_t_be_compared_is_parsed_anew() -> None:
    """What can just be read may be too deep to be compared, and hides nothing: it is invalid."""
    parsed, levels = Parsed(), sys.getrecursionlimit()
    deep = [said(), said()]
    for body in deep:
        nested: JSON = {}
        for _ in range(levels):
            nested = {"a": nested}
        body["spec"]["template"]["spec"]["x"] = nested
    found = [parsed.written(body).spec for body in deep]
    assert "spec.template: is nested more than" in str(found[0])
    assert str(found[1]) == str(found[0])


def test_a_rollout_that_is_gone_is_forgotten() -> None:
    parsed = Parsed()
    first = parsed.written(said())
    parsed.forget(KEY)
    assert parsed.written(said()) is not first
