"""What a role puts into templates and onto pods can always be taken out again."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.core.template import (
    AppliedMetadata,
    RoleMetadata,
    applied_metadata,
    metadata_patch,
    user_template,
    with_metadata,
)
from rollouts.model.kinds import HASH_LABEL, JSON, ROLE_METADATA, ROLLOUT_LABEL
from rollouts.model.merge_patch import merged

CANARY = RoleMetadata({"role": "canary"}, {"note": "on its way"})
STABLE = RoleMetadata({"role": "stable", "tier": "gold"})


def replica_set(**metadata: Any) -> JSON:
    """Return a ReplicaSet as it is made, before anything is put on it."""
    own = {"labels": {"app": "web", HASH_LABEL: "abc", **metadata.pop("labels", {})}, **metadata}
    template = {"metadata": own, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return {
        "metadata": {"name": "web-abc", "labels": {"app": "web"}},
        "spec": {"template": template},
    }


def metadata_of(obj: JSON) -> JSON:
    found: JSON = obj["spec"]["template"]["metadata"]
    return found


def test_a_replica_set_has_its_role_metadata_from_the_start_and_says_so() -> None:
    made = with_metadata(replica_set(), CANARY)
    assert metadata_of(made) == {
        "labels": {"app": "web", HASH_LABEL: "abc", "role": "canary", ROLE_METADATA: CANARY.mark},
        "annotations": {"note": "on its way"},
    }
    assert applied_metadata(made).role == CANARY
    assert made["metadata"]["labels"] == {"app": "web"}


def test_without_role_metadata_nothing_is_added() -> None:
    assert with_metadata(replica_set(), RoleMetadata()) == replica_set()


def test_another_role_takes_away_what_is_not_its_own() -> None:
    made = with_metadata(replica_set(), CANARY)
    changed = merged(made, metadata_patch(made, STABLE, "web"))
    assert metadata_of(changed)["labels"] == {
        "app": "web",
        HASH_LABEL: "abc",
        ROLLOUT_LABEL: "web",
        "role": "stable",
        "tier": "gold",
        ROLE_METADATA: STABLE.mark,
    }
    assert not metadata_of(changed)["annotations"]


def test_what_the_template_says_itself_comes_back() -> None:
    plain = replica_set(labels={"tier": "bronze"})
    made = merged(plain, metadata_patch(plain, STABLE, "web"))
    assert metadata_of(made)["labels"]["tier"] == "gold"
    bare = merged(made, metadata_patch(made, RoleMetadata(), "web"))
    assert metadata_of(bare)["labels"] == {
        "app": "web",
        HASH_LABEL: "abc",
        ROLLOUT_LABEL: "web",
        "tier": "bronze",
    }


def test_a_pod_that_missed_a_change_of_role_metadata_still_gets_rid_of_the_first() -> None:
    made = with_metadata(replica_set(), CANARY)
    pod = {"metadata": copy.deepcopy(metadata_of(made))}
    made = merged(made, metadata_patch(made, STABLE, "web"))
    made = merged(made, metadata_patch(made, RoleMetadata({"shelf": "top"}), "web"))
    pod = merged(pod, {"metadata": applied_metadata(made).patch()})
    mark = applied_metadata(made).role.mark
    assert pod["metadata"]["labels"] == {
        "app": "web",
        HASH_LABEL: "abc",
        "shelf": "top",
        ROLE_METADATA: mark,
    }
    assert pod["metadata"]["annotations"] == {}


def test_the_same_words_have_the_same_mark_and_none_has_none() -> None:
    assert RoleMetadata({"a": "1", "b": "2"}).mark == RoleMetadata({"b": "2", "a": "1"}).mark
    assert RoleMetadata({"a": "1"}).mark != RoleMetadata({}, {"a": "1"}).mark
    assert RoleMetadata().mark == ""


def test_a_template_that_is_older_than_our_label_gets_it_and_no_empty_record() -> None:
    old = replica_set()
    patch = metadata_patch(old, RoleMetadata(), "web")
    assert "metadata" not in patch
    made = merged(old, patch)
    assert metadata_of(made)["labels"] == {"app": "web", HASH_LABEL: "abc", ROLLOUT_LABEL: "web"}
    assert user_template(made) == user_template(old)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '"x"', '{"labels": 3}', "null"])
def test_a_record_that_cannot_be_read_is_none(text: str) -> None:
    obj = replica_set()
    obj["metadata"]["annotations"] = {ROLE_METADATA: text}
    assert applied_metadata(obj) == AppliedMetadata()


words = st.dictionaries(st.sampled_from(["role", "tier", "zone"]), st.text("xyz", max_size=2))
role_metadata = st.builds(RoleMetadata, words, words)


@given(words, words, st.lists(role_metadata, max_size=5))
def test_the_template_is_always_found_again(
    labels: dict[str, str], annotations: dict[str, str], worn_in_turn: list[RoleMetadata]
) -> None:
    plain = replica_set(labels=labels, annotations=annotations)
    made = with_metadata(plain, worn_in_turn[0]) if worn_in_turn else plain
    for role in worn_in_turn[1:]:
        made = merged(made, metadata_patch(made, role, "web"))
        assert json.loads(applied_metadata(made).text)
        assert applied_metadata(made).role == role
    found = user_template(made)
    assert found["metadata"]["labels"] == {"app": "web", **labels}
    assert found["metadata"].get("annotations", {}) == annotations
    assert found["spec"] == plain["spec"]["template"]["spec"]
