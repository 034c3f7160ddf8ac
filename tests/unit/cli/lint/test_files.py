import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rollouts.model.kinds import JSON
from tests.unit.cli.conftest import Ran

Run = Callable[..., Ran]
EXAMPLES = Path(__file__).parents[4] / "examples"

CANARY = (EXAMPLES / "canary-nginx.yaml").read_text()


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_examples_have_no_errors_and_no_warnings(rollouts: Run, example: Path) -> None:
    ran = rollouts("lint", example)
    assert ran.code == 0, ran.out
    assert ran.out.endswith("no errors, no warnings\n"), ran.out


def line_of(words: str, text: str = CANARY) -> int:
    """Return the number of the first line that has these words."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if words in line)


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        (
            "setWeight: 25",
            "setWeigth: 25",
            "spec.strategy.canary.steps[2].setWeigth",
            "did you mean setWeight?",
        ),
        ("setWeight: 25", "setWeight: 130", "spec.strategy.canary.steps[2].setWeight", "130"),
        ("replicas: 4", "replicas: many", "spec.replicas", "expected an integer"),
        (
            "max: 1%",
            "max: 1 apple",
            "spec.successCriteria[0].errorRate.max",
            "expected a percentage",
        ),
        (
            "duration: 3s",
            "duration: soon",
            "spec.strategy.canary.steps[1].pause.duration",
            "expected a duration",
        ),
        (
            "stableService: checkout",
            "stableServce: checkout",
            "spec.strategy.canary.stableServce",
            "did you mean stableService?",
        ),
        (
            "stableService: checkout",
            "stableService: chekout",
            "spec.strategy.canary.stableService",
            "did you mean checkout?",
        ),
        (
            "[checkout]",
            "[chekout]",
            "spec.strategy.canary.trafficRouting.nginx.stableIngresses[0]",
            "did you mean checkout?",
        ),
        (
            "rollouts.dev/v1alpha1",
            "rollouts.dev/v1",
            "apiVersion",
            "expected rollouts.dev/v1alpha1",
        ),
        ("  replicas: 4", "  replicas: 4\n  replicas: 5", "spec.replicas", "twice"),
        ("  replicas: 4", "  replicas: 4.5", "spec.replicas", "expected an integer"),
        (
            'value: "1.0"',
            "value: 1.0",
            "spec.template.spec.containers[0].env[0].value",
            "put it in quotes",
        ),
    ],
)
def test_a_mistake_is_found_where_it_stands(
    rollouts: Run, tmp_path: Path, *, old: str, new: str, field: str, message: str
) -> None:
    text = CANARY.replace(old, new, 1)
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    ran = rollouts("lint", file, "--output", "json")
    report = json.loads(ran.out)
    found = [entry for entry in report["findings"] if entry["severity"] != "note"]
    assert (field, True) in [(entry["field"], message in entry["message"]) for entry in found], (
        found
    )
    entry = next(entry for entry in found if entry["field"] == field)
    assert entry["line"] == line_of(new.splitlines()[-1], text)
    assert ran.code == (1 if report["errors"] else 0)


def test_the_form_of_a_line(rollouts: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(CANARY.replace("setWeight: 25", "setWeight: 130"))
    ran = rollouts("lint", file)
    line = line_of("setWeight: 25")
    assert f"{file}:{line}:11: error: spec.strategy.canary.steps[2].setWeight: " in ran.out
    assert ran.out.endswith("1 error, no warnings\n")


def test_objects_in_other_files_are_checked_against_the_rollout(
    rollouts: Run, tmp_path: Path
) -> None:
    service, ingress, rollout = CANARY.split("\n---\n")
    (tmp_path / "service.yaml").write_text(service.replace("app: checkout", "app: cart"))
    (tmp_path / "ingress.yaml").write_text(
        ingress.replace("name: checkout\n                port", "name: cart\n                port")
    )
    (tmp_path / "rollout.yaml").write_text(rollout)
    out = rollouts("lint", *sorted(tmp_path.glob("*.yaml"))).out
    assert (
        "error: spec.strategy.canary.stableService: Service checkout selects none of the pods"
        in out
    )
    assert "stableIngresses[0]: Ingress checkout has no rule for Service checkout" in out


def test_what_is_unwise_is_a_warning(rollouts: Run, tmp_path: Path) -> None:
    rollout = (EXAMPLES / "minimal.yaml").read_text()
    start, end = rollout.index("  successCriteria"), rollout.index("  template:")
    file = tmp_path / "x.yaml"
    file.write_text(rollout[:start] + rollout[end:].split("          readinessProbe")[0])
    ran = rollouts("lint", file)
    assert ran.code == 0
    assert "warning: spec.successCriteria: there are no success criteria" in ran.out
    assert "container web has no readinessProbe" in ran.out


def of_criteria(*criteria: str) -> str:
    """Return a valid Rollout with these success criteria."""
    text = (EXAMPLES / "minimal.yaml").read_text()
    start, end = text.index("  successCriteria"), text.index("  template:")
    lines = "".join(f"    - {each}\n" for each in criteria)
    return f"{text[:start]}  successCriteria:\n{lines}{text[end:]}"


QUERY = "{name: sales, query: {promql: up, min: 1}}"


@pytest.mark.parametrize(
    ("alphas", "note"),
    [
        (["", "", "", ""], "with alpha 1%: up to 4% of good releases are stopped; for 1% together"),
        (["", "", "", ""], "set alpha: 0.0025 on each"),
        (["", ", alpha: 0.05"], "with alpha 1% and 5%: up to 6%"),
        ([""], None),
        (["", ", judge: threshold"], None),
        ([", alpha: 0.0017"] * 6, None),
    ],
)
def test_several_criteria_that_each_may_err_are_noted_together(
    rollouts: Run, tmp_path: Path, alphas: list[str], note: str | None
) -> None:
    criteria = [
        f"{{name: c{number}, errorRate: {{max: 1%}}{alpha}}}" for number, alpha in enumerate(alphas)
    ]
    file = tmp_path / "x.yaml"
    file.write_text(of_criteria(*criteria, QUERY))
    ran = rollouts("lint", file)
    assert ran.code == 0
    assert ("judged sequentially" in ran.out) is (note is not None)
    assert note is None or f"{len(alphas)} criteria are judged" in ran.out
    assert (note or "") in ran.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [b\nc: d", "2:2: error: this is not YAML"),
        ("- 1\n- 2\n", "1:1: error: kind: is missing"),
        ("a: \x01", "error: this is not YAML"),
        ("", "note: the file has no YAML document"),
        ("", "error: there is no Rollout of rollouts.dev in what was given: nothing was checked"),
        (
            "kind: Canary\napiVersion: rollouts.dev/v1alpha1\n",
            "1:1: error: kind: rollouts.dev has no",
        ),
        (
            "kind: Rollout\napiVersion: argoproj.io/v1alpha1\n",
            "2:1: error: apiVersion: this is a Rollout of Argo Rollouts, which is not checked",
        ),
        ("kind: Rollout\napiVersion: example.com/v1\n", "example.com/v1 Rollout is not checked by"),
        ("kind: Rollout\napiVersion: rollouts.dev/v1alpha1\nspec: 3\n", "error: spec: is missing"),
        ("kind: Rollout\nmetadata: {name: A_b}\n", "error: metadata.name"),
        ("kind: List\nitems:\n- kind: Rollout\n  spec: {}\n", "4:3: error: spec.strategy"),
    ],
)
def test_what_is_no_rollout(
    rollouts: Run, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert words in rollouts("lint", "-").out


def test_a_file_that_is_not_there_is_an_error_and_the_others_are_looked_at(
    rollouts: Run, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("kind: Rolout\n")
    ran = rollouts("lint", "nowhere.yaml", str(other))
    assert ran.code == 1
    assert "nowhere.yaml:1:1: error: No such file" in ran.out
    assert "did you mean Rollout?" in ran.out


def test_aliases_that_stand_for_billions_are_an_error_and_no_wait(
    rollouts: Run, tmp_path: Path
) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 10):
        aliases = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("\n".join(lines))
    ran = rollouts("lint", str(bomb))
    assert ran.code == 1
    assert "the aliases in this YAML stand for more than 200000 values" in ran.out


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "setWeight: 50",
            "setWeight: 5",
            "warning: spec.strategy.canary.steps[2].setWeight: falls from 10 to 5",
        ),
        (
            "  steps:",
            "  maxSurge: 1\n      steps:",
            "warning: spec.strategy.canary.maxSurge: is not used with trafficRouting",
        ),
        (
            "example/shop:1.0",
            '""',
            "error: spec.template.spec.containers[0].image: is empty",
        ),
        (
            "containerPort: 8080",
            "containerPort: 80800",
            (
                "error: spec.template.spec.containers[0].ports[0].containerPort: expected a number"
                " from 1 to 65535, got 80800"
            ),
        ),
        (
            "port: 8080}",
            "port: http}",
            (
                "error: spec.template.spec.containers[0].readinessProbe.httpGet.port: the container"
                " has no port http (it names none)"
            ),
        ),
    ],
)
def test_what_is_valid_and_does_not_do(
    rollouts: Run, tmp_path: Path, before: str, after: str, told: str
) -> None:
    text = (EXAMPLES / "minimal.yaml").read_text()
    assert before in text
    file = tmp_path / "changed.yaml"
    file.write_text(text.replace(before, after, 1))
    ran = rollouts("lint", file)
    assert f": {told}" in ran.out
    assert ran.code == (1 if told.startswith("error") else 0)


BLUE_GREEN = {"blueGreen": {"activeService": "shop"}}
GATEWAY = {
    "canary": {"stableService": "shop", "trafficRouting": {"gatewayAPI": {"httpRoutes": ["shop"]}}}
}


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ({"canary": {"steps": []}}, "no errors"),
        (
            BLUE_GREEN,
            "error: spec.strategy.blueGreen.activeService: Service shop selects none of the pods",
        ),
        (GATEWAY, "gatewayAPI.httpRoutes[0]: HTTPRoute shop has no rule for Service shop"),
    ],
)
def test_every_strategy_is_checked_against_its_neighbours(
    rollouts: Run, tmp_path: Path, strategy: object, words: str
) -> None:
    documents = yaml.safe_load_all((EXAMPLES / "minimal.yaml").read_text())
    rollout = next(each for each in documents if each["kind"] == "Rollout")
    rollout["spec"]["strategy"] = strategy
    service = {
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"selector": {"app": "cart"}},
    }
    rules = [{"backendRefs": [{"name": "cart"}, {"kind": "Other", "name": "shop"}]}]
    version = "gateway.networking.k8s.io/v1"
    route = {"apiVersion": version, "kind": "HTTPRoute", "metadata": {"name": "shop"}}
    route["spec"] = {"rules": rules}
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all([rollout, service, route]))
    assert words in rollouts("lint", file).out


def documents() -> dict[str, JSON]:
    """Return the Service, the Ingress and the Rollout of the canary by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all(CANARY)}


@pytest.fixture
def linted(rollouts: Run, tmp_path: Path) -> Callable[..., str]:
    def lint(*objects: JSON) -> str:
        file = tmp_path / "all.yaml"
        file.write_text(yaml.safe_dump_all(objects, sort_keys=False))
        return rollouts("lint", file).out

    return lint


def named(kind: str, version: str, spec: JSON, name: str = "checkout") -> JSON:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def test_files_are_checked_by_the_rules_of_a_cluster(linted: Callable[..., str]) -> None:
    found = documents()
    found["Service"]["spec"]["ports"][0]["targetPort"] = "https"
    second = {**found["Ingress"], "metadata": {"name": "second"}}
    selector = {"matchLabels": {"app": "checkout"}}
    budget = named("PodDisruptionBudget", "policy/v1", {"maxUnavailable": 0, "selector": selector})
    out = linted(*found.values(), second, budget)
    assert "error: spec.strategy.canary.stableService: Service checkout leads to the port" in out
    assert "warning: ServiceShared: Ingress second leads to Service checkout too" in out
    assert "warning: BudgetForbidsAll: PodDisruptionBudget checkout never lets a pod go" in out


def test_what_may_be_in_the_cluster_is_not_missed(linted: Callable[..., str]) -> None:
    found = documents()
    found["Rollout"]["spec"]["replicas"] = 1  # an autoscaler may choose more
    assert linted(found["Rollout"]).endswith("no errors, no warnings\n")
    other = {**found["Service"], "metadata": {"name": "cart"}}
    out = linted(found["Rollout"], other, found["Ingress"])
    assert "note: spec.strategy.canary.stableService: Service checkout is not in these files" in out
    assert out.endswith("no errors, no warnings\n")


def test_an_autoscaler_in_the_files_chooses_how_many_pods_there_are(
    linted: Callable[..., str],
) -> None:
    rollout = documents()["Rollout"]
    target = {"apiVersion": rollout["apiVersion"], "kind": "Rollout", "name": "checkout"}
    limits = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9}
    scaler = named("HorizontalPodAutoscaler", "autoscaling/v2", limits)
    assert "may go down to 1 pod" in linted(rollout, scaler)


def test_objects_of_another_namespace_are_not_those_that_are_meant(
    linted: Callable[..., str],
) -> None:
    found = documents()
    found["Service"]["spec"]["selector"] = {"app": "cart"}
    assert "selector asks for app: cart" in linted(*found.values())
    found["Service"]["metadata"]["namespace"] = "elsewhere"
    assert "selector asks for app: cart" not in linted(*found.values())


def test_the_template_of_a_workload_is_that_of_its_deployment(linted: Callable[..., str]) -> None:
    text = (EXAMPLES / "adopt-deployment.yaml").read_text()
    found = {each["kind"]: each for each in yaml.safe_load_all(text)}
    assert linted(*found.values()).endswith("no errors, no warnings\n")
    found["Rollout"]["spec"]["workloadRef"]["name"] = "wep"
    out = linted(*found.values())
    assert "warning: spec.workloadRef.name: there is no Deployment wep in these files; did" in out


@pytest.mark.parametrize("spec", [3, {"selector": ["app"]}])
def test_an_object_of_no_valid_form_is_an_error_and_no_bug(
    linted: Callable[..., str], spec: object
) -> None:
    found = documents()
    found["Service"]["spec"] = spec
    out = linted(*found.values())
    assert ":1:1: error: Service checkout is malformed" in out
    assert "attribute" not in out
    found["Ingress"]["spec"] = 3
    out = linted(*found.values())
    for named_one in ("Service checkout", "Ingress checkout"):
        assert f"error: {named_one} is malformed" in out
