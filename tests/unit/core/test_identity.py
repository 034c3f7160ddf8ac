"""A Deployment's template is a revision by what it means."""

import copy

import pytest

from rollouts.core.identity import identify, meaning
from rollouts.core.revision import template_hash
from rollouts.model.kinds import HASH_LABEL, JSON

TEMPLATE: JSON = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "web", "image": "shop:1"}]},
}


def replica_set(hash_: str, template: JSON) -> JSON:
    labelled = copy.deepcopy(template)
    labelled["metadata"]["labels"][HASH_LABEL] = hash_
    return {"metadata": {"labels": {HASH_LABEL: hash_}}, "spec": {"template": labelled}}


def having(template: JSON, generation: int = 3) -> JSON:
    """Return the Deployment."""
    return {"metadata": {"uid": "d", "generation": generation}, "spec": {"template": template}}


def defaulted(template: JSON) -> JSON:
    """Return it as a newer API server shows it."""
    result = copy.deepcopy(template)
    result["spec"]["newField"] = "NewDefault"
    return result


def test_a_template_that_nobody_has_is_hashed() -> None:
    assert identify(having(TEMPLATE), {}, []) == template_hash(TEMPLATE)
    other = defaulted(TEMPLATE)
    assert identify(having(TEMPLATE), {}, [replica_set("one", other)]) == template_hash(TEMPLATE)


def test_a_new_default_everywhere_is_no_new_revision() -> None:
    before = template_hash(TEMPLATE)
    after = defaulted(TEMPLATE)
    assert template_hash(after) != before
    assert identify(having(after), {}, [replica_set(before, after)]) == before


@pytest.mark.parametrize(
    "same",
    [
        {"metadata": {"labels": {"app": "shop"}, "annotations": {}, "creationTimestamp": None}},
        {"spec": {**TEMPLATE["spec"], "tolerations": [], "volumes": None}},
    ],
)
def test_absence_has_several_ways_to_be_written(same: JSON) -> None:
    assert meaning({**TEMPLATE, **same}) == meaning(TEMPLATE)


def test_an_empty_object_may_mean_something() -> None:
    term = {"topologyKey": "zone", "namespaceSelector": {}}
    anywhere = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "term": term}}
    here = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "term": {"topologyKey": "zone"}}}
    assert meaning(anywhere) != meaning(here)


def test_of_several_the_current_revision_comes_first() -> None:
    sets = [replica_set(name, TEMPLATE) for name in ("a", "b", "c")]
    status = {"stableRevision": {"hash": "b"}, "currentRevision": {"hash": "c"}}
    assert identify(having(TEMPLATE), {"status": status}, sets) == "c"
    assert identify(having(TEMPLATE), {"status": {"stableRevision": {"hash": "b"}}}, sets) == "b"
    assert identify(having(TEMPLATE), {}, sets) == "a"


def test_one_generation_is_looked_at_once() -> None:
    """So that ReplicaSets as a cache saw them before an upgrade tell nothing wrong."""
    adoption = {"uid": "d", "observedGeneration": 3, "templateHash": "known"}
    rollout = {"status": {"adoption": adoption}}
    sets = [replica_set("one", TEMPLATE)]
    assert identify(having(defaulted(TEMPLATE)), rollout, sets) == "known"
    assert identify(having(TEMPLATE, 4), rollout, sets) == "one"
    again = {"status": {"adoption": {**adoption, "uid": "another"}}}
    assert identify(having(TEMPLATE), again, sets) == "one"
