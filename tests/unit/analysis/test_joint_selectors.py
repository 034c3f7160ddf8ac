"""Selectors of one form are made one, and say themselves which of the series are their own."""

import re

import pytest

from rollouts.analysis.criterion_metric import metric_of
from rollouts.analysis.joint_selectors import Selector, SeriesOwners, joined_selector
from rollouts.model.counter_metric import CounterSeries
from rollouts.model.rollout_key import Key
from tests.fakes.metrics import matches
from tests.unit.analysis.app_harness import BY_REPLICAS, target

AWKWARD = 'a.b-c"d\\e\n(f)'


def parsed(text: str) -> Selector:
    found = Selector.parse(text)
    assert found is not None, text
    return found


def question(namespace: str, name: str) -> CounterSeries:
    made = target(BY_REPLICAS, key=Key(namespace, name))
    return metric_of(made, made.spec.success_criteria[0]).series


def series_of(namespace: str, name: str, arm: str = "canaryhash") -> dict[str, str]:
    facts = {"namespace": namespace, "pod": f"{name}-{arm}-x2x4z"}
    return {"__name__": "http_requests_total", **facts}


def test_what_we_ask_has_parts() -> None:
    for text in (*question("shop", "cart").selectors, 'up{a="1"}', "up{}", '{"a.b",c=~"d|e"}'):
        assert parsed(text).text == text
    assert parsed('{"a.b","c.d"!~"e\\"f"}').form == parsed('{"a.b","c.d"!~"e\\"f"}').form
    assert parsed('m{a="b"}').form == parsed('m{a=~"c|d"}').form
    assert parsed('m{a!="b"}').form != parsed('m{a!="c"}').form
    assert parsed('m{a="b"}').form != parsed('n{a="b"}').form


@pytest.mark.parametrize(
    "text", ["sum(x)", "x", 'x{a="b"', 'x{a="b" or c="d"}', '{a="b"}', "x{,,}"]
)
def test_what_is_not_of_our_form_has_none(text: str) -> None:
    assert Selector.parse(text) is None


def test_each_gets_its_own_and_nobody_what_the_joint_one_finds_besides() -> None:
    asked = [question(*each).selectors[0] for each in (("a", "cart"), ("b", "pay"), ("b", "cart"))]
    selectors = [parsed(each) for each in asked]
    found = [
        series_of(namespace, name, arm)
        for namespace in ("a", "b", "c")
        for name in ("cart", "pay", "cart-2")
        for arm in ("canaryhash", "stablehash", "oldhash")
    ]
    owners = SeriesOwners(selectors)
    for labels in found:
        own = [number for number, text in enumerate(asked) if matches(text, labels)]
        assert list(owners.of(labels)) == own
        if own:
            assert matches(joined_selector(selectors), labels)


def test_values_are_escaped_whatever_is_in_them() -> None:
    plain = re.escape(AWKWARD).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    text = 'm{a="' + AWKWARD.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"}'
    one, other = parsed(text), parsed('m{a="z"}')
    assert one.matchers[0].value == AWKWARD
    assert joined_selector([one, other]) == f'm{{a=~"{plain}|z"}}'
    owners = SeriesOwners([one, other])
    assert owners.of({"a": AWKWARD}) == (0,)
    assert owners.of({"a": "z"}) == (1,)
    assert owners.of({"a": AWKWARD.replace(".", "x")}) == ()
    assert owners.of({}) == ()


def test_what_is_the_same_for_all_stays_as_it_is() -> None:
    ours = [parsed(f'm{{job="x",a="{each}",b!~"c"}}') for each in "uvu"]
    assert joined_selector(ours) == 'm{job="x",a=~"u|v",b!~"c"}'
    assert joined_selector(ours[:1]) == ours[0].text


def test_a_label_that_may_be_absent_is_so_for_all() -> None:
    ours = [parsed(f'm{{canary=~"|{each}-.+"}}') for each in "uv"]
    assert joined_selector(ours) == 'm{canary=~"|u-.+|v-.+"}'
    owners = SeriesOwners(ours)
    assert owners.of({}) == (0, 1)
    assert owners.of({"canary": "v-80"}) == (1,)
