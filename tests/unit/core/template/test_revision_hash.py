"""What a revision is called: a hash that nothing but the template decides."""

import json

from hypothesis import given
from hypothesis import strategies as st

from rollouts.core.template import images, template_hash
from rollouts.core.world import describe, next_revision_number
from rollouts.model.kinds import JSON
from rollouts.model.status import Revision

TEMPLATE: JSON = {
    "metadata": {"labels": {"app": "checkout"}},
    "spec": {
        "containers": [
            {"name": "web", "image": "demo/checkout:1.0", "env": [{"name": "ä", "value": "0%"}]}
        ],
        "terminationGracePeriodSeconds": 15,
        "hostNetwork": False,
    },
}


def test_the_hash_of_a_template_is_for_ever() -> None:
    """If this fails, an upgrade would release every Rollout of every user again. Don't change it."""
    assert template_hash(TEMPLATE) == "wettml2nn3"


def reordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def test_the_order_of_keys_is_nothing_and_that_of_a_list_is_something() -> None:
    other = reordered(TEMPLATE)
    assert list(TEMPLATE) != list(other)  # type: ignore[call-overload]
    assert template_hash(other) == template_hash(TEMPLATE)  # type: ignore[arg-type]
    assert template_hash({"a": [1, 2]}) != template_hash({"a": [2, 1]})


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_a_hash_is_a_label_and_survives_the_wire(template: JSON) -> None:
    hash_ = template_hash(template)
    assert len(hash_) == 10
    assert set(hash_) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert template_hash(json.loads(json.dumps(template, indent=2))) == hash_
    assert template_hash({**template, "another": 1}) != hash_


def test_images_are_named_in_order_whatever_is_missing() -> None:
    assert images(TEMPLATE) == ("demo/checkout:1.0",)
    assert images({}) == ()
    assert images({"spec": {"containers": [{"name": "x"}, {"image": "b"}]}}) == ("", "b")


def test_numbers_go_up() -> None:
    assert next_revision_number([]) == 1
    assert next_revision_number([3, 7, 5]) == 8


def test_people_call_it_by_number_and_images() -> None:
    assert describe(Revision(number=4, hash="h", images=["a:1", "b:2"])) == "revision 4 (a:1, b:2)"
    assert describe(Revision(number=4, hash="h")) == "revision 4 (h)"
