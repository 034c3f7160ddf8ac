"""A template is a revision by what it means."""

import copy

from rollouts.core.template import canonical_hash, identify, known_hash, template_hash
from rollouts.model.kinds import HASH_LABEL, JSON, MEANING_ANNOTATION

TEMPLATE: JSON = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "web", "image": "shop:1"}]},
}


def replica_set(hash_: str, template: JSON) -> JSON:
    labelled = copy.deepcopy(template)
    labelled["metadata"]["labels"][HASH_LABEL] = hash_
    return {"metadata": {"labels": {HASH_LABEL: hash_}}, "spec": {"template": labelled}}


def evolve(template: JSON, generation: int = 3) -> JSON:
    """Return the Deployment."""
    return {"metadata": {"uid": "d", "generation": generation}, "spec": {"template": template}}


def defaulted(template: JSON) -> JSON:
    """Return it as a newer API server shows it."""
    result = copy.deepcopy(template)
    result["spec"]["newField"] = "NewDefault"
    return result


def test_a_template_that_nobody_has_is_hashed() -> None:
    assert identify(TEMPLATE, {}, []) == template_hash(TEMPLATE)
    other = defaulted(TEMPLATE)
    assert identify(TEMPLATE, {}, [replica_set("one", other)]) == template_hash(TEMPLATE)


def test_a_new_default_everywhere_is_no_new_revision() -> None:
    before = template_hash(TEMPLATE)
    after = defaulted(TEMPLATE)
    assert template_hash(after) != before
    assert identify(after, {}, [replica_set(before, after)]) == before


def test_a_template_is_found_by_what_was_written_though_the_replica_set_has_defaults() -> None:
    found = replica_set("one", defaulted(TEMPLATE))
    found["metadata"]["annotations"] = {MEANING_ANNOTATION: canonical_hash(TEMPLATE)}
    nulls = {**TEMPLATE, "metadata": {"labels": {"app": "shop"}, "creationTimestamp": None}}
    assert identify(nulls, {}, [found]) == "one"
    other = {**TEMPLATE, "spec": {"containers": [{"name": "web", "image": "shop:2"}]}}
    assert identify(other, {}, [found]) == template_hash(other)


def test_one_from_before_is_found_by_its_hash() -> None:
    exact = template_hash(TEMPLATE)
    assert identify(TEMPLATE, {}, [replica_set(exact, defaulted(TEMPLATE))]) == exact


def test_of_several_the_current_revision_comes_first() -> None:
    sets = [replica_set(name, TEMPLATE) for name in ("a", "b", "c")]
    status = {"stableRevision": {"hash": "b"}, "currentRevision": {"hash": "c"}}
    assert identify(TEMPLATE, {"status": status}, sets) == "c"
    assert identify(TEMPLATE, {"status": {"stableRevision": {"hash": "b"}}}, sets) == "b"
    assert identify(TEMPLATE, {}, sets) == "a"


def test_one_generation_is_looked_at_once() -> None:
    """So that ReplicaSets as a cache saw them before an upgrade tell nothing wrong."""
    adoption = {"uid": "d", "observedGeneration": 3, "templateHash": "known"}
    rollout = {"status": {"adoption": adoption}}
    assert known_hash(evolve(defaulted(TEMPLATE)), rollout) == "known"
    assert not known_hash(evolve(TEMPLATE, 4), rollout)
    assert not known_hash(
        evolve(TEMPLATE), {"status": {"adoption": {**adoption, "uid": "another"}}}
    )
