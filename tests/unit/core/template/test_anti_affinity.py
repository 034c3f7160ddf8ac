"""Revisions keep off each other's nodes, and the user's own affinity stays what it is."""

from typing import Any

import pytest

from rollouts.core.template import with_anti_affinity, without_anti_affinity
from rollouts.model.kinds import HASH_LABEL, JSON
from rollouts.model.role_settings import AntiAffinity

REQUIRED = AntiAffinity.model_validate({"requiredDuringSchedulingIgnoredDuringExecution": {}})
PREFERRED = AntiAffinity.model_validate(
    {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 30}}
)
SELECTOR = {"matchLabels": {"app": "web", HASH_LABEL: "abc"}}
TERM = {
    "labelSelector": {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": HASH_LABEL, "operator": "Exists"},
            {"key": HASH_LABEL, "operator": "NotIn", "values": ["abc"]},
        ],
    },
    "topologyKey": "kubernetes.io/hostname",
}
ZONES = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "zone"}
NODES: JSON = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}


def template(affinity: Any = None) -> JSON:
    spec = {"containers": [{"name": "web", "image": "web:1"}]}
    return {"spec": spec if affinity is None else {**spec, "affinity": affinity}}


def affinity_of(found: JSON) -> Any:
    return found["spec"].get("affinity")


def test_required_is_a_term_against_every_other_revision() -> None:
    found = with_anti_affinity(template(), REQUIRED, SELECTOR, "abc")
    assert affinity_of(found) == {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}
    }


def test_preferred_has_its_weight() -> None:
    found = with_anti_affinity(template(), PREFERRED, SELECTOR, "abc")
    entry = {"weight": 30, "podAffinityTerm": TERM}
    assert affinity_of(found) == {
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [entry]}
    }


def test_expressions_of_the_selector_count_too() -> None:
    selector = {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    found = with_anti_affinity(template(), REQUIRED, selector, "abc")
    (term,) = affinity_of(found)["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert [each["key"] for each in term["labelSelector"]["matchExpressions"]] == [
        "tier",
        HASH_LABEL,
        HASH_LABEL,
    ]


@pytest.mark.parametrize("wanted", [REQUIRED, PREFERRED])
@pytest.mark.parametrize(
    "own",
    [
        None,
        NODES,
        {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [ZONES]}},
        {
            **NODES,
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": ZONES}
                ]
            },
        },
    ],
)
def test_the_users_own_stays_and_is_found_again(wanted: AntiAffinity, own: Any) -> None:
    before = template(own)
    found = with_anti_affinity(before, wanted, SELECTOR, "abc")
    assert before == template(own)
    assert found != before
    assert without_anti_affinity(found) == before


def test_without_the_wish_nothing_is_added() -> None:
    assert with_anti_affinity(template(NODES), None, SELECTOR, "abc") == template(NODES)
    assert without_anti_affinity(template({})) == template({})


@pytest.mark.parametrize("own", ["everywhere", {"podAntiAffinity": 3}])
def test_nonsense_is_left_to_the_api_server(own: Any) -> None:
    assert with_anti_affinity(template(own), REQUIRED, SELECTOR, "abc") == template(own)
    assert without_anti_affinity(template(own)) == template(own)
