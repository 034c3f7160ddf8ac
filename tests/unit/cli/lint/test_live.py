"""`lint --live`: what is in the way in the cluster, as it is or as files will make it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.errors import Forbidden, NotFound, Permanent, RolloutsError, Unavailable
from rollouts.model.kinds import DEPLOYMENT, JSON, SCALED_OBJECT, SERVICE, Kind
from rollouts.model.routers.smi import TRAFFIC_SPLIT
from rollouts.traffic.gateway.policies import SECURITY_POLICY
from tests.fakes.metrics import FakeMetrics
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.cli.objects import healthy, rollout

Run = Callable[..., Ran]
Told = tuple[JSON, str]
"""What Prometheus answers, and what is said then."""
PROBE = {"readinessProbe": {"httpGet": {"port": 8080}}}
PORTS = {"ports": [{"name": "http", "containerPort": 8080}]}


def named(kind: str, name: str = "checkout", **body: Any) -> JSON:
    return {"kind": kind, "metadata": {"namespace": "shop", "name": name, "uid": "u2"}, **body}


def service(**spec: Any) -> JSON:
    ports = [{"port": 80, "targetPort": "http"}]
    return named("Service", spec={"selector": {"app": "checkout"}, "ports": ports, **spec})


def ingress(**annotations: str) -> JSON:
    backend = {"service": {"name": "checkout", "port": {"number": 80}}}
    rule = {"host": "shop.test", "http": {"paths": [{"path": "/", "backend": backend}]}}
    found = named("Ingress", spec={"rules": [rule]})
    prefix = "nginx.ingress.kubernetes.io"
    found["metadata"]["annotations"] = {
        f"{prefix}/{key}": value for key, value in annotations.items()
    }
    return found


def released() -> JSON:
    found = rollout(1, healthy(1))
    for container in found["spec"]["template"]["spec"]["containers"]:
        container |= {**PROBE, **PORTS}
    for criterion in found["spec"]["successCriteria"][:2]:
        criterion["alpha"] = 0.005
    return found


def endpoints() -> JSON:
    slice_ = named("EndpointSlice", endpoints=[{"conditions": {"ready": True}}])
    slice_["metadata"]["labels"] = {"kubernetes.io/service-name": "checkout"}
    return slice_


@pytest.fixture
def shop(cluster: FakeRequests) -> FakeRequests:
    """A cluster in which nothing is wrong."""
    cluster.add("Rollout", released())
    cluster.add("Service", service())
    cluster.add("Ingress", ingress())
    cluster.add("EndpointSlice", endpoints())
    return cluster


def refuse(
    monkeypatch: pytest.MonkeyPatch, shop: FakeRequests, refused: Mapping[Kind, RolloutsError]
) -> None:
    select = shop.select

    async def refusing(kind: Kind, *rest: Any) -> list[JSON]:
        for each, error in refused.items():
            if each.name == kind.name:
                raise error
        return await select(kind, *rest)

    monkeypatch.setattr(shop, "select", refusing)


@pytest.mark.usefixtures("shop")
def test_nothing_is_in_the_way(rollouts: Run) -> None:
    ran = rollouts("lint", "--live", "checkout")
    assert (ran.code, ran.out) == (0, "no errors, no warnings\n")


def test_findings_are_warnings_and_what_stops_a_release_is_an_error(
    rollouts: Run, shop: FakeRequests
) -> None:
    shop.objects["Ingress"] = [ingress(affinity="cookie")]
    ran = rollouts("lint", "--live", "rollout/checkout")
    assert ran.code == 0
    assert "shop/checkout: warning: CookieAffinity: Ingress checkout has cookie" in ran.out
    shop.objects["Ingress"] = []
    ran = rollouts("lint", "--live", "checkout", "--output", "json")
    report = json.loads(ran.out)
    assert (ran.code, report["errors"], report["warnings"]) == (1, 1, 0)
    (finding,) = report["findings"]
    assert finding | {"message": ""} == {
        "file": "shop/checkout",
        "line": 0,
        "column": 0,
        "severity": "error",
        "reason": "IngressNotFound",
        "field": "spec.strategy.canary.trafficRouting.nginx.stableIngresses[0]",
        "message": "",
    }


def test_what_is_so_at_this_moment_is_said_too(rollouts: Run, shop: FakeRequests) -> None:
    shop.objects["EndpointSlice"] = []
    ran = rollouts("lint", "--live", "checkout")
    assert "warning: NoReadyPods: Service checkout has no ready endpoint" in ran.out


def test_kinds_that_may_not_be_read_are_said_and_nothing_is_made_of_them(
    rollouts: Run, shop: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingresses = Kind("networking.k8s.io", "v1", "ingresses", "Ingress")
    refuse(monkeypatch, shop, {ingresses: Forbidden("GET /ingresses: not permitted")})
    shop.objects["Ingress"] = []
    ran = rollouts("lint", "--live", "checkout")
    assert (ran.code, ran.out) == (
        0,
        (
            "shop/checkout: note: ingresses can't be read, so nothing is said of them: GET /ingresses: not permitted\n"
            "no errors, no warnings\n"
        ),
    )


def test_policies_that_may_not_be_read_matter_on_gateways_only(
    rollouts: Run, shop: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, shop, {SECURITY_POLICY: Forbidden("not permitted")})
    assert "securitypolicies" not in rollouts("lint", "--live", "checkout").out
    canary = shop.objects["Rollout"][0]["spec"]["strategy"]["canary"]
    canary["trafficRouting"] = {"gatewayAPI": {"httpRoutes": ["web"]}}
    ran = rollouts("lint", "--live", "checkout")
    assert (
        "note: securitypolicies can't be read, so nothing is said of them: not permitted" in ran.out
    )


def test_a_service_that_is_released_has_to_be_there(
    rollouts: Run, shop: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.objects["Service"] = []
    ran = rollouts("lint", "--live", "checkout")
    assert ran.code == 1
    assert "error: ServiceNotFound: Service checkout does not exist; create it" in ran.out
    refuse(monkeypatch, shop, {SERVICE: Forbidden("not permitted")})
    assert "ServiceNotFound" not in rollouts("lint", "--live", "checkout").out


def test_a_deployment_that_is_to_be_adopted_has_to_be_there(
    rollouts: Run, shop: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = shop.objects["Rollout"][0]["spec"]
    del spec["template"], spec["selector"]
    spec["workloadRef"] = {"name": "legacy"}
    ran = rollouts("lint", "--live", "checkout")
    assert "error: WorkloadMissing: Deployment legacy does not exist" in ran.out
    refuse(monkeypatch, shop, {DEPLOYMENT: Forbidden("not permitted")})
    assert "WorkloadMissing" not in rollouts("lint", "--live", "checkout").out


def test_kinds_that_are_not_installed_are_no_matter(
    rollouts: Run, shop: FakeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, shop, {kind: NotFound("no") for kind in (SCALED_OBJECT, TRAFFIC_SPLIT)})
    assert rollouts("lint", "--live", "checkout").out == "no errors, no warnings\n"


def test_a_rollout_that_does_not_exist_yet_is_looked_at_from_a_file(
    rollouts: Run, shop: FakeRequests, tmp_path: Path
) -> None:
    shop.objects["Rollout"] = []
    ran = rollouts("lint", "--live", "checkout")
    assert (ran.code, ran.out) == (1, "")
    assert "not found" in ran.err
    new = released()
    new["metadata"] = {"name": "checkout"}
    new["spec"]["replicas"] = 1
    del new["status"]
    file = tmp_path / "new.yaml"
    file.write_text(
        yaml.safe_dump_all(
            [new, {**service(type="ExternalName"), "apiVersion": "v1"}, 3, {"kind": "x"}]
        )
    )
    ran = rollouts("lint", "--live", "checkout", "-f", str(file))
    assert ran.code == 1
    assert "shop/checkout: error: ExternalName: Service checkout is of type ExternalName" in ran.out
    assert "shop/checkout: warning: OneReplica: spec.replicas is 1" in ran.out
    assert f"{file}:" in ran.out
    assert "is not checked by itself" not in ran.out


@pytest.mark.usefixtures("shop")
def test_what_is_wrong_in_a_file_is_said_where_it_stands_and_once(
    rollouts: Run, tmp_path: Path
) -> None:
    changed = released()
    changed["spec"]["successCriteria"] = []
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(changed))
    out = rollouts("lint", str(file), "--live", "checkout").out
    assert out.count("spec.successCriteria: there are no success criteria") == 1
    assert f"{file}:" in out.partition("spec.successCriteria")[0]


@pytest.mark.usefixtures("shop")
def test_files_are_laid_over_the_cluster(rollouts: Run, tmp_path: Path) -> None:
    file = tmp_path / "changed.yaml"
    changed = released()
    changed["spec"]["strategy"]["canary"]["trafficRouting"]["nginx"]["stableIngresses"] = ["shop"]
    file.write_text(yaml.safe_dump(changed))
    ran = rollouts("lint", str(file), "--live", "checkout")
    assert "error: IngressNotFound: Ingress shop does not exist" in ran.out
    elsewhere = {**changed, "metadata": {"namespace": "other", "name": "checkout"}}
    file.write_text(yaml.safe_dump(elsewhere))
    assert "IngressNotFound" not in rollouts("lint", str(file), "--live", "checkout").out


def test_a_spec_that_is_invalid_is_an_error(rollouts: Run, shop: FakeRequests) -> None:
    shop.objects["Rollout"][0]["spec"]["replicas"] = -1
    ran = rollouts("lint", "--live", "checkout")
    assert ran.code == 1
    assert "shop/checkout: error: spec.replicas:" in ran.out


@pytest.mark.usefixtures("shop")
def test_a_mistake_in_a_file_hides_nothing_of_what_is_in_the_way(
    rollouts: Run, tmp_path: Path
) -> None:
    changed = released()
    changed["metadata"]["labels"] = ["a"]
    changed["spec"]["replicas"] = -1
    changed["spec"]["strategy"]["canary"]["trafficRouting"]["nginx"]["stableIngresses"] = ["shop"]
    file = tmp_path / "changed.yaml"
    malformed = {**service(), "spec": {"selector": ["app"]}}
    file.write_text(yaml.safe_dump_all([changed, malformed]))
    ran = rollouts("lint", str(file), "--live", "checkout")
    assert ran.code == 1
    for words in (
        "spec.replicas: ",
        "IngressNotFound: ",
        "metadata: metadata or status is malformed",
        "Service checkout is malformed",
    ):
        assert f"error: {words}" in ran.out
    assert "ServiceNotFound" not in ran.out


def test_there_has_to_be_something_to_look_at(rollouts: Run) -> None:
    ran = rollouts("lint")
    assert ran.code == 2
    assert "give a FILE, or --live NAME" in ran.err


class Measured(FakeMetrics):
    async def close(self) -> None:
        """Have nothing to give back."""


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Measured:
    made = Measured()
    monkeypatch.setattr("rollouts.cli.lint.series.prometheus", lambda _: made)
    return made


ASKING = ("lint", "--live", "checkout", "--prometheus", "http://prometheus.test")


@pytest.mark.usefixtures("shop")
def test_a_prometheus_is_asked_for_what_the_criteria_need(rollouts: Run, metrics: Measured) -> None:
    metrics.answers["x"] = Unavailable("no answer")
    ran = rollouts(*ASKING)
    assert "note: the metrics can't be read, so nothing is said of them: no answer" in ran.out
    assert ran.code == 0
    metrics.answers["x"] = 1.0
    ran = rollouts(*ASKING)
    assert "warning: SeriesAbsent: criterion errors: Prometheus has no" in ran.out


@pytest.mark.parametrize(
    ("promql", "told"),
    [
        ("x", ({"x": Permanent("parse error")}, "error: QueryRefused: criterion c: parse error")),
        (
            'x{pod="a"}',
            (
                {'x{pod="a"}': None, 'x{exported_pod="a"}': 1.0},
                "warning: LabelsRenamed: criterion c: the query yields nothing",
            ),
        ),
        ("x", ({"x": 1.0}, "no errors, no warnings")),
    ],
)
def test_what_prometheus_says_of_a_query(
    rollouts: Run, shop: FakeRequests, metrics: Measured, promql: str, told: Told
) -> None:
    answers, words = told
    query = {"name": "c", "query": {"promql": promql, "min": 0}}
    shop.objects["Rollout"][0]["spec"]["successCriteria"] = [query]
    metrics.answers |= answers
    assert words in rollouts(*ASKING).out


@pytest.mark.usefixtures("metrics")
def test_without_a_stable_revision_there_are_no_metrics_yet(
    rollouts: Run, shop: FakeRequests
) -> None:
    del shop.objects["Rollout"][0]["status"]
    assert "note: there is no stable revision yet" in rollouts(*ASKING).out


def test_a_file_alone_has_no_metrics(rollouts: Run) -> None:
    assert rollouts("lint", "x.yaml", "--prometheus", "http://prometheus.test").code == 2
