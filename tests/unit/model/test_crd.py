"""
The CRD that is generated from the models.

The rules of a structural schema are kubernetes.io's, "Extend the Kubernetes API with
CustomResourceDefinitions"; schema and CEL rules are asked as the sandbox's API server asks them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cel
import pytest
import yaml

from rollouts.errors import InvalidSpec
from rollouts.model.crd import crd, crds
from rollouts.model.kinds import JSON
from rollouts.model.status import RolloutStatus
from rollouts.model.validation import parse_rollout
from rollouts.sandbox.apiserver.cel_rules import RULES, rule_violations
from rollouts.sandbox.apiserver.custom_resources import definition_causes
from rollouts.sandbox.apiserver.schema import INT_OR_STRING, PRESERVE, pruned, violations
from tests.fakes.kubernetes import rollout
from tests.unit.model.test_validation import CANARY, ERRORS, GOOD, MISSING, WRONG, changed

CHART = Path(__file__).parents[3] / "charts/rollouts/files/crd.yaml"
VERSION: JSON = crd()["spec"]["versions"][0]
SCHEMA: JSON = VERSION["schema"]["openAPIV3Schema"]
Node = tuple[str, JSON]


def nodes(schema: JSON, path: str = "") -> Iterator[Node]:
    """Yield every schema below `schema`, with its path in an object."""
    yield path, schema
    for name, part in (schema.get("properties") or {}).items():
        yield from nodes(part, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from nodes(schema[name], f"{path}[]" if name == "items" else f"{path}.*")


def seen(**of: Any) -> list[JSON]:
    return [schema for _, schema in nodes(SCHEMA) if of.items() <= schema.items()]


def refused_by_schema(obj: JSON, old: JSON | None = None) -> list[str]:
    """Return what an API server that is asked to be strict says against a Rollout."""
    obj = yaml.safe_load(yaml.safe_dump(obj))
    unknown = [f"unknown field {path}" for path in pruned(obj, SCHEMA)]
    causes = [*violations(obj, SCHEMA), *rule_violations(obj, old, SCHEMA)]
    return unknown + [f"{cause.field}: {cause.message}" for cause in causes]


def test_an_api_server_takes_the_definition() -> None:
    assert [definition_causes(each) for each in crds()] == [[], []]


def test_every_node_has_a_type_unless_it_is_int_or_string_or_open() -> None:
    for path, schema in nodes(SCHEMA):
        open_ = schema.get(INT_OR_STRING) or schema.get(PRESERVE)
        assert open_ or schema.get("type"), path
        assert not (schema.get(INT_OR_STRING) and schema.get("type")), path


def test_nothing_is_left_that_a_structural_schema_may_not_hold() -> None:
    for path, schema in nodes(SCHEMA):
        forbidden = {"$ref", "$defs", "title", "const", "oneOf", "allOf", "not", "definitions"}
        assert not forbidden & schema.keys(), path
        assert schema.get("additionalProperties") is not False, path
        assert not ("additionalProperties" in schema and "properties" in schema), path
        if "anyOf" in schema:
            assert schema[INT_OR_STRING], path
            assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
        for bound in ("exclusiveMinimum", "exclusiveMaximum"):
            assert schema.get(bound) in (None, True), path


def test_nothing_is_left_that_an_api_server_drops_so_that_two_appliers_never_differ() -> None:
    for path, schema in nodes(SCHEMA):
        assert schema.get("properties") != {}, path


def test_everything_that_rules_look_at_is_bounded() -> None:
    """An API server estimates what a rule may cost at most, and refuses what has no bound."""
    for path, schema in nodes(SCHEMA["properties"]["spec"]):
        if schema.get("type") == "array":
            assert "maxItems" in schema, path
        if path.startswith(".selector") and schema.get("type") == "string":
            assert "maxLength" in schema or "enum" in schema, path


def test_only_replicas_has_a_default_so_that_git_and_cluster_agree() -> None:
    defaults = {path: part["default"] for path, part in nodes(SCHEMA) if "default" in part}
    assert defaults == {".spec.replicas": 1, ".status.replicas": 0}


def test_the_fields_of_a_spec_are_described_in_one_line() -> None:
    spec = SCHEMA["properties"]["spec"]
    assert "\n" not in "".join(part.get("description", "") for _, part in nodes(SCHEMA))
    assert spec["properties"]["minReadySeconds"]["description"].startswith("How long a pod")


def test_subresources_and_columns_point_at_fields_that_exist() -> None:
    paths = {path for path, _ in nodes(SCHEMA)}
    scale = VERSION["subresources"]["scale"]
    assert scale == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    assert set(scale.values()) <= paths
    assert VERSION["subresources"]["status"] == {}
    columns = VERSION["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == (
        ["Phase", "Step", "Weight", "Revision", "Stable", "Age", "Message"]
    )
    for column in columns:
        assert column["jsonPath"] in paths | {".metadata.creationTimestamp"}, column
        kinds = {path: part.get("type") for path, part in nodes(SCHEMA)}
        assert column["type"] in ("date", kinds.get(column["jsonPath"])), column


def test_what_the_chart_installs_is_what_the_models_say() -> None:
    written = [each["spec"] for each in yaml.safe_load_all(CHART.read_text())]
    assert written == [each["spec"] for each in crds()], "run `make crd`"


def test_every_rule_compiles_and_says_what_to_do() -> None:
    rules = [rule for _, schema in nodes(SCHEMA) for rule in schema.get(RULES) or ()]
    assert len(rules) == 15
    for rule in rules:
        cel.compile(rule["rule"])
        assert len(rule["message"]) > 20


def broken(path: str, value: Any, old: Any = None) -> list[str]:
    """Return the messages of the rules of the node at `path` that `value` breaks."""
    (schema,) = (part for found, part in nodes(SCHEMA) if found == path)
    own = {RULES: schema[RULES], "type": "object"}
    return [cause.message for cause in rule_violations(value, old, own)]


STEP = ".spec.strategy.canary.steps[]"
PAUSE = f"{STEP}.pause"
SCALE = f"{STEP}.setCanaryScale"
THRESHOLD = ".spec.strategy.canary.replicaProgressThreshold"
CRITERION = ".spec.successCriteria[]"
APP, OTHER = {"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}


@pytest.mark.parametrize(
    ("path", "value", "old"),
    [
        (STEP, {"setWeight": 0}, None),
        (STEP, {"pause": {}}, None),
        (PAUSE, {}, None),
        (PAUSE, {"waitForEvidence": True}, None),
        (PAUSE, {"duration": "1m", "waitForEvidence": False}, None),
        (PAUSE, {"duration": 0, "waitForEvidence": False}, None),
        (STEP, {"analysis": {"duration": "1m"}}, None),
        (STEP, {"setCanaryScale": {"replicas": 1}}, None),
        (SCALE, {"replicas": 0}, None),
        (SCALE, {"weight": 5}, None),
        (SCALE, {"matchTrafficWeight": True}, None),
        (THRESHOLD, {"type": "Percent", "value": 100}, None),
        (THRESHOLD, {"type": "Pod", "value": 101}, None),
        (CRITERION, {"name": "x", "errorRate": {}}, None),
        (CRITERION, {"name": "x", "latency": {}}, None),
        (CRITERION, {"name": "x", "query": {}}, None),
        (".spec.strategy", {"canary": {}}, None),
        (".spec.strategy", {"blueGreen": {}}, None),
        (".spec", {"template": {}, "selector": APP}, None),
        (".spec", {"template": {}, "selector": APP}, {"template": {}, "selector": APP}),
        (".spec", {"workloadRef": {"name": "x"}}, None),
        (".spec", {"workloadRef": {"name": "x"}}, {"workloadRef": {"name": "y"}}),
    ],
)
def test_rules_hold_for_good_objects(path: str, value: JSON, old: JSON | None) -> None:
    assert broken(path, value, old) == []


@pytest.mark.parametrize(
    ("path", "value", "old", "message"),
    [
        (STEP, {}, None, "exactly one of setWeight"),
        (STEP, {"setWeight": 5, "pause": {}}, None, "exactly one of setWeight"),
        (PAUSE, {"waitForEvidence": False}, None, "give a duration"),
        (SCALE, {}, None, "exactly one of replicas"),
        (SCALE, {"replicas": 1, "weight": 5}, None, "exactly one of replicas"),
        (THRESHOLD, {"type": "Percent", "value": 101}, None, "use type Pod"),
        (CRITERION, {"name": "x"}, None, "exactly one of errorRate"),
        (CRITERION, {"name": "x", "query": {}, "latency": {}}, None, "exactly one of errorRate"),
        (".spec.strategy", {}, None, "exactly one of canary"),
        (".spec.strategy", {"canary": {}, "blueGreen": {}}, None, "exactly one of canary"),
        (".spec", {"template": {}}, None, "go together"),
        (".spec", {"template": {}, "selector": {}, "workloadRef": {}}, None, "exactly one of"),
        (".spec", {}, None, "exactly one of template"),
        (
            ".spec",
            {"template": {}, "selector": OTHER},
            {"template": {}, "selector": APP},
            "immutable",
        ),
        (
            ".spec",
            {"template": {}, "selector": APP},
            {"workloadRef": {"name": "x"}},
            "immutable",
        ),
    ],
)
def test_rules_refuse_bad_objects(path: str, value: JSON, old: JSON | None, message: str) -> None:
    said = broken(path, value, old)
    assert len(said) == 1
    assert message in said[0]


@pytest.mark.parametrize(("length", "said"), [(52, []), (53, ["52 characters at most"])])
def test_a_name_leaves_room_for_the_hash(length: int, said: list[str]) -> None:
    obj = rollout([])
    obj["metadata"]["name"] = "n" * length
    refused = refused_by_schema(obj)
    assert len(refused) == len(said)
    assert all(words in refused[0] for words in said)


# What no schema and no affordable rule can say: the model alone refuses these.
BEYOND_THE_SCHEMA = (
    "only used with trafficRouting",
    "is activeService as well",
    "nobody's",
    "selects everything",
    "map from labels",
    "set by the controller",
    "the controller sets",
    "at least one container",
    "missing",
    "as text",
    "name the Service",
    "is stableService as well",
    "longer than",
    "two criteria named",
    "one of max (such",
    "make two criteria",
    "needs min, max or both",
    "unknown variable",
    "finite number",
    "its judge is threshold",
)


@pytest.mark.parametrize(("path", "value", "field", "reason"), WRONG)
def test_the_schema_refuses_what_the_model_refuses(
    path: str, value: Any, field: str, reason: str
) -> None:
    refused = refused_by_schema(changed(rollout([{"setWeight": 5}]), path, value))
    beyond = any(words in reason for words in BEYOND_THE_SCHEMA)
    assert beyond is not bool(refused), (field, refused)


RIGHT: list[tuple[str, Any]] = [
    ("replicas", 0),
    ("paused", True),
    ("template.spec.volumes", [{"name": "x", "emptyDir": {}}]),
    ("template.metadata.annotations", {"a/b": "c"}),
    ("progressDeadlineSeconds", 90),
    ("progressDeadlineSeconds", "90"),
    ("progressDeadlineSeconds", "1h30m"),
    ("progressDeadlineSeconds", "1.5s"),
    ("progressDeadlineSeconds", "1.5ms"),
    (f"{CANARY}.steps", []),
    (f"{CANARY}.steps", [{"pause": {"duration": 5}}, {"setCanaryScale": {"weight": 7}}]),
    (f"{CANARY}.canaryService", "x-y-z"),
    (f"{CANARY}.stableService", "s" * 56),
    (f"{CANARY}.trafficRouting.nginx.canaryIngressAnnotations", {"canary-by-header": "X"}),
    ("successCriteria", [ERRORS | {"errorRate": {"max": 0.01}, "alpha": 0.5, "interval": "5s"}]),
    ("successCriteria", [ERRORS | {"errorRate": {"max": 0}, "judge": "threshold"}]),
    ("successCriteria", [{"name": "x", "query": {"promql": "up", "min": -1.5, "max": 2}}]),
]


@pytest.mark.parametrize(("path", "value"), RIGHT)
def test_the_schema_and_the_model_accept_the_same(path: str, value: Any) -> None:
    obj = changed(rollout([{"setWeight": 5}]), path, value)
    parse_rollout(obj)
    assert refused_by_schema(obj) == []


@pytest.mark.parametrize(
    "written",
    [
        0,
        5,
        5.0,
        0.5,
        -1,
        40_000_000,
        "5s",
        "5",
        "",
        " 5s",
        "5 s",
        "5S",
        "s",
        "1h1h",
        "0ms",
        "²",
        True,
        [],
    ],
)
def test_a_duration_is_the_same_for_schema_and_model(written: Any) -> None:
    assert_same("progressDeadlineSeconds", written)


@pytest.mark.parametrize(
    "written",
    [
        0,
        1,
        1.0,
        0.5,
        1.5,
        -1,
        "1%",
        "1 %",
        "0.5%",
        "",
        "1",
        " 1%",
        "%",
        "1.%",
        "٣%",
        "100%",
        "99.9%",
        "0100%",
    ],
)
def test_a_percentage_is_the_same_for_schema_and_model(written: Any) -> None:
    assert_same("successCriteria", [{"name": "x", "errorRate": {"max": written}}])


@pytest.mark.parametrize(
    "written", [0, 1, 500, 0.5, "500", "500ms", "1.5s", "1m1s", "", "1s1m", "x"]
)
def test_a_latency_is_the_same_for_schema_and_model(written: Any) -> None:
    assert_same("successCriteria", [{"name": "x", "latency": {"quantile": 0.5, "max": written}}])


def assert_same(path: str, value: Any) -> None:
    obj = changed(rollout([]), path, value)
    try:
        parse_rollout(obj)
    except InvalidSpec:
        assert refused_by_schema(obj)
    else:
        assert not refused_by_schema(obj)


def test_a_selector_can_not_be_changed_but_all_else_can() -> None:
    moved = changed(GOOD, "selector.matchLabels", {"app": "other"})
    assert ["immutable" in text for text in refused_by_schema(moved, GOOD)] == [True]
    for path in ("template.spec.containers.0.image", "successCriteria", "paused"):
        value = {"successCriteria": [], "paused": True}.get(path, "shop:2")
        assert refused_by_schema(changed(GOOD, path, value), GOOD) == []


def test_a_status_fits_its_own_schema() -> None:
    obj = {
        **GOOD,
        "status": RolloutStatus().model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    assert refused_by_schema(obj) == []


def test_a_spec_without_replicas_has_one() -> None:
    assert parse_rollout(changed(GOOD, "replicas", MISSING)).replicas == 1
