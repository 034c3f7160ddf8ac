"""What is refused, with its field, the reason and the way out; and that nothing else is ever raised."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.errors import FieldError, InvalidSpec
from rollouts.model.kinds import JSON
from rollouts.model.routers.nginx import NginxRouting
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout

CANARY = "strategy.canary"
CONTAINERS = "template.spec.containers"
QUERY = {"name": "q", "query": {"promql": "up", "max": 1}}
ERRORS = {"name": "errors", "errorRate": {"max": "1%"}}
MISSING = object()


def changed(obj: JSON, path: str, value: Any) -> JSON:
    """Return a copy of a Rollout with one field below spec set, or taken out."""
    obj = copy.deepcopy(obj)
    *parents, last = path.split(".")
    place = obj["spec"]
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
    if value is MISSING:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return obj


def errors_of(obj: Any) -> dict[str, str]:
    with pytest.raises(InvalidSpec) as caught:
        parse_rollout(obj)
    assert all(str(error) in str(caught.value) for error in caught.value.errors)
    return {error.field: error.reason for error in caught.value.errors}


def test_a_good_rollout_is_accepted_with_its_defaults() -> None:
    spec = parse_rollout(rollout([{"setWeight": 5}, {"pause": {}}], successCriteria=[ERRORS]))
    assert (spec.replicas, spec.revision_history_limit, spec.progress_deadline_seconds) == (
        4,
        10,
        600,
    )
    assert (spec.stable_service, spec.canary_service) == ("checkout", "checkout-canary")
    nginx = spec.router(NginxRouting)
    assert nginx is not None
    assert nginx.annotation_prefix == "nginx.ingress.kubernetes.io"
    (errors,) = spec.success_criteria
    assert (errors.judged_by, errors.alpha, errors.on_inconclusive) == ("sequential", 0.01, "pause")


# The changed field, its value, the field that is named, and words of the reason.
WRONG: list[tuple[str, Any, str, str]] = [
    ("replica", 3, "replica", "did you mean replicas?"),
    ("Replicas", 3, "Replicas", "did you mean replicas?"),
    ("zzz", 3, "zzz", "unknown field; known are appMetrics, inconclusiveWaitSeconds"),
    ("revision_history_limit", 3, "revision_history_limit", "did you mean revisionHistoryLimit?"),
    (f"{CANARY}.stableServices", "x", f"{CANARY}.stableServices", "did you mean stableService?"),
    (f"{CANARY}.steps", [{"setWeigth": 5}], f"{CANARY}.steps[0].setWeigth", "mean setWeight?"),
    ("replicas", "3", "replicas", "expected an integer, got '3'; write replicas: 3"),
    ("replicas", True, "replicas", "expected an integer"),
    ("replicas", 3.5, "replicas", "integer"),
    ("replicas", -1, "replicas", "at least 0, got -1"),
    ("replicas", 10**400, "replicas", "at most 100000"),
    ("paused", "yes", "paused", "expected true or false, got 'yes'; write paused: true"),
    ("strategy", [], "strategy", "expected a map"),
    ("strategy", MISSING, "strategy", "is required"),
    ("progressDeadlineSeconds", "soon", "progressDeadlineSeconds", "such as 90s, 5m or 1h30m"),
    ("progressDeadlineSeconds", 10**400, "progressDeadlineSeconds", "to a year"),
    (
        f"{CANARY}.steps",
        [{"setWeight": 130}],
        f"{CANARY}.steps[0].setWeight",
        "at most 100, got 130",
    ),
    (
        f"{CANARY}.steps",
        [{"setWeight": "5%"}],
        f"{CANARY}.steps[0].setWeight",
        "expected an integer",
    ),
    (f"{CANARY}.steps", [{"setWeight": 5, "pause": {}}], f"{CANARY}.steps[0]", "exactly one of"),
    (f"{CANARY}.steps", [{"setWeight": 5}, {}], f"{CANARY}.steps[1]", "exactly one of setWeight"),
    (f"{CANARY}.steps", {"setWeight": 5}, f"{CANARY}.steps", "a list"),
    (f"{CANARY}.steps", [{"analysis": {}}], f"{CANARY}.steps[0].analysis.duration", "is required"),
    (
        f"{CANARY}.steps",
        [{"pause": {"waitForEvidence": False}}],
        f"{CANARY}.steps[0].pause",
        "give a duration, or leave waitForEvidence out",
    ),
    (
        f"{CANARY}.steps",
        [{"setCanaryScale": {"replicas": 1, "weight": 5}}],
        f"{CANARY}.steps[0].setCanaryScale",
        "exactly one of replicas, weight and matchTrafficWeight",
    ),
    (
        f"{CANARY}.replicaProgressThreshold",
        {"type": "Percent", "value": 101},
        f"{CANARY}.replicaProgressThreshold",
        "for a number of pods, use type Pod",
    ),
    (f"{CANARY}.stableService", "Shop!", f"{CANARY}.stableService", "pattern"),
    *(
        (f"{CANARY}.{field}", name, f"{CANARY}.{field}", words)
        for field in ("stableService", "canaryService")
        for name, words in (
            ("my.shop", "pattern"),
            ("1shop", "pattern"),
            ("s" * 64, "at most 63 characters"),
        )
    ),
    (f"{CANARY}.stableService", "s" * 57, f"{CANARY}.canaryService", "is longer than the 63"),
    (f"{CANARY}.stableService", MISSING, f"{CANARY}.stableService", "name the Service"),
    (f"{CANARY}.canaryService", "checkout", f"{CANARY}.canaryService", "is stableService as well"),
    (
        f"{CANARY}.trafficRouting",
        MISSING,
        f"{CANARY}.stableService",
        "only used with trafficRouting",
    ),
    (
        f"{CANARY}.trafficRouting",
        {},
        f"{CANARY}.trafficRouting",
        "names no router; give nginx, smi",
    ),
    (
        f"{CANARY}.trafficRouting",
        {"nginx": {"stableIngresses": []}},
        f"{CANARY}.trafficRouting.nginx.stableIngresses",
        "at least 1 item",
    ),
    (
        f"{CANARY}.trafficRouting",
        {"smi": {"rootService": "Not-A-Service"}},
        f"{CANARY}.trafficRouting.smi.rootService",
        "should match pattern",
    ),
    (
        f"{CANARY}.trafficRouting",
        {"gatewayAPI": {}},
        f"{CANARY}.trafficRouting.gatewayAPI",
        "at least one route in httpRoutes or grpcRoutes",
    ),
    *(
        (
            f"{CANARY}.trafficRouting.nginx.canaryIngressAnnotations",
            {key: "50"},
            f"{CANARY}.trafficRouting.nginx.canaryIngressAnnotations.{key}",
            "set by the controller",
        )
        for key in ("canary", "canary-weight-total", "nginx.ingress.kubernetes.io/canary-weight")
    ),
    (
        "strategy",
        {"blueGreen": {"activeService": "a", "previewService": "a"}},
        "strategy.blueGreen.previewService",
        "is activeService as well",
    ),
    ("strategy", {}, "strategy", "exactly one of canary and blueGreen"),
    (
        "strategy.blueGreen",
        {"activeService": "a"},
        "strategy",
        "exactly one of canary and blueGreen",
    ),
    ("workloadRef", {"name": "a"}, "", "exactly one of template and workloadRef"),
    ("template", MISSING, "", "exactly one of template and workloadRef"),
    ("selector", MISSING, "", "template and selector go together"),
    ("selector", {}, "selector", "selects everything; give matchLabels"),
    ("selector.matchLabels", {"app": "other"}, "template.metadata.labels", "nobody's"),
    ("template.metadata", MISSING, "template.metadata.labels", "nobody's"),
    ("template.metadata.labels", "app", "template.metadata.labels", "map from labels to values"),
    (
        "template.metadata.labels",
        {"app": "checkout", "rollouts.dev/revision": "1"},
        "template.metadata.labels",
        "the controller sets",
    ),
    (
        "selector.matchExpressions",
        [{"key": "app", "operator": "NotIn", "values": ["checkout"]}],
        "template.metadata.labels",
        "nobody's",
    ),
    (
        "selector.matchExpressions",
        [{"key": "app", "operator": "Is"}],
        "selector.matchExpressions[0].operator",
        "'In', 'NotIn'",
    ),
    ("template", [], "template", "expected a map"),
    ("template.spec", MISSING, CONTAINERS, "at least one container"),
    (CONTAINERS, [], CONTAINERS, "at least one container"),
    (CONTAINERS, [{"name": "web"}], f"{CONTAINERS}[0].image", "as text"),
    (CONTAINERS, ["web"], f"{CONTAINERS}[0].name", "as text"),
    ("successCriteria", [ERRORS, QUERY, ERRORS], "", "two criteria named 'errors'"),
    ("successCriteria", [{"name": "x"}], "successCriteria[0]", "exactly one of errorRate, latency"),
    ("successCriteria", [ERRORS | QUERY], "successCriteria[0]", "exactly one of errorRate"),
    (
        "successCriteria",
        [{"name": "x", "errorRate": {}}],
        "successCriteria[0].errorRate",
        "exactly one of max (such as 1%) and maxRatioToStable",
    ),
    (
        "successCriteria",
        [{"name": "x", "errorRate": {"max": "1%", "maxRatioToStable": 1.5}}],
        "successCriteria[0].errorRate",
        "make two criteria for both",
    ),
    (
        "successCriteria",
        [{"name": "x", "errorRate": {"max": 5}}],
        "successCriteria[0].errorRate.max",
        "0% to 100%",
    ),
    (
        "successCriteria",
        [{"name": "x", "latency": {"quantile": 99, "max": "1s"}}],
        "successCriteria[0].latency.quantile",
        "less than 1, got 99",
    ),
    (
        "successCriteria",
        [{"name": "x", "query": {"promql": "up"}}],
        "successCriteria[0].query",
        "needs min, max or both",
    ),
    (
        "successCriteria",
        [{"name": "x", "query": {"promql": "up", "max": float("nan")}}],
        "successCriteria[0].query.max",
        "finite number",
    ),
    (
        "successCriteria",
        [{"name": "x", "query": {"promql": 'up{h="{{ canary.hsh }}"}', "max": 1}}],
        "successCriteria[0].query.promql",
        "unknown variable 'canary.hsh'; known are canary.hash",
    ),
    (
        "successCriteria",
        [QUERY | {"judge": "sequential"}],
        "successCriteria[0]",
        "its judge is threshold",
    ),
    ("successCriteria", [ERRORS | {"alpha": 0}], "successCriteria[0].alpha", "more than 0"),
    (
        "successCriteria",
        [ERRORS | {"onInconclusive": "hope"}],
        "successCriteria[0].onInconclusive",
        "'proceed', 'pause' or 'rollback'",
    ),
]


@pytest.mark.parametrize(("path", "value", "field", "reason"), WRONG)
def test_a_wrong_field_is_named_with_the_reason(
    path: str, value: Any, field: str, reason: str
) -> None:
    errors = errors_of(changed(rollout([{"setWeight": 5}]), path, value))
    name = f"spec.{field}" if field else "spec"
    assert name in errors
    assert reason in errors[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("n" * 53, "has 53 characters; shorten it to 52"),
        ("Shop", "lower-case"),
        ("a..b", "letter or digit"),
    ],
)
def test_a_name_that_no_replica_set_could_carry_is_refused(name: str, words: str) -> None:
    obj = rollout([])
    obj["metadata"]["name"] = name
    assert words in errors_of(obj)["metadata.name"]
    del obj["spec"]["strategy"]
    assert errors_of(obj).keys() == {"metadata.name", "spec.strategy"}


@pytest.mark.parametrize("name", ["n" * 52, "shop-2", "shop.web"])
def test_a_name_that_leaves_room_for_the_hash_is_accepted(name: str) -> None:
    obj = rollout([])
    obj["metadata"]["name"] = name
    parse_rollout(obj)


def test_every_wrong_field_is_named_at_once() -> None:
    obj = rollout([{"setWeight": 130}, {"pause": {"duration": "soon"}}], replicas=-1)
    steps = f"spec.{CANARY}.steps"
    assert errors_of(obj).keys() == {
        "spec.replicas",
        f"{steps}[0].setWeight",
        f"{steps}[1].pause.duration",
    }


@pytest.mark.parametrize("obj", [{}, {"spec": None}, {"spec": []}, {"spec": "x"}])
def test_without_a_spec_it_says_what_a_rollout_needs(obj: JSON) -> None:
    assert "template, selector and strategy" in errors_of(obj)["spec"]


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "app", "operator": "In", "values": ["checkout", "other"]},
        {"key": "app", "operator": "Exists"},
        {"key": "tier", "operator": "DoesNotExist"},
        {"key": "tier", "operator": "NotIn", "values": ["web"]},
    ],
)
def test_every_operator_of_a_selector_is_understood(expression: JSON) -> None:
    parse_rollout(changed(rollout([]), "selector", {"matchExpressions": [expression]}))


def test_variables_of_a_query_are_known_with_and_without_spaces() -> None:
    promql = 'sum(up{h="{{canary.hash}}", s="{{ stable.hash }}", n="{{ namespace }}"})'
    query = {"name": "q", "query": {"promql": promql, "min": 0}}
    parse_rollout(rollout([], successCriteria=[query]))


NUMBERS = st.one_of(st.integers(), st.integers(min_value=10**308), st.floats())
ANYTHING: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
GOOD = rollout(
    [{"setWeight": 5}, {"pause": {"duration": "1s"}}, {"setCanaryScale": {"replicas": 1}}],
    successCriteria=[ERRORS, {"name": "p99", "latency": {"quantile": 0.99, "max": "1s"}}, QUERY],
)


def paths_of(value: Any, path: str = "") -> list[str]:
    """Return the path of every node below `value`."""
    if not isinstance(value, dict | list):
        return []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, part in pairs:
        here = f"{path}.{name}" if path else str(name)
        found += [here, *paths_of(part, here)]
    return found


def either_accepted_or_invalid(obj: JSON) -> None:
    errors: tuple[FieldError, ...] | None = None
    try:
        parse_rollout(obj)
    except InvalidSpec as invalid:
        errors = invalid.errors
    assert errors is None or errors
    assert all(error.field.startswith("spec") and error.reason for error in errors or ())


@given(ANYTHING)
def test_no_json_whatsoever_raises_anything_but_invalid_spec(spec: Any) -> None:
    either_accepted_or_invalid({"spec": spec})


@settings(max_examples=300)
@given(st.sampled_from(paths_of(GOOD["spec"])), ANYTHING)
def test_no_field_of_a_good_spec_can_be_made_to_raise_anything_else(path: str, value: Any) -> None:
    either_accepted_or_invalid(changed(GOOD, path, value))


@settings(max_examples=200)
@given(st.sampled_from(paths_of(GOOD["spec"])), st.text(max_size=10), ANYTHING)
def test_no_additional_field_can_be_made_to_raise_anything_else(
    path: str, name: str, value: Any
) -> None:
    obj = copy.deepcopy(GOOD)
    place = obj["spec"]
    for part in path.split("."):
        place = place[int(part)] if isinstance(place, list) else place[part]
    if isinstance(place, dict):
        place[name] = value
    either_accepted_or_invalid(obj)


def test_half_a_surrogate_is_no_text() -> None:
    spec = json.loads('{"replicas": "\\ud800", "\\udfff": 1}')
    either_accepted_or_invalid({"spec": {**GOOD["spec"], **spec}})
