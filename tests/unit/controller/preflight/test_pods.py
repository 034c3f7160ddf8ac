"""Probes, and how many pods there are."""

import pytest

from rollouts.model.kinds import JSON
from tests.unit.controller.preflight.namespace import (
    autoscaler,
    message,
    reasons,
    rollout,
    service,
    template,
)

PROBE = {"readinessProbe": {"tcpSocket": {"port": 1}}}


def pods(*containers: JSON) -> JSON:
    body = template()
    body["spec"]["containers"] = list(containers)
    return rollout(template=body)


def container(name: str, port: int = 0, *, probe: bool = False) -> JSON:
    ports: JSON = {"ports": [{"name": name, "containerPort": port}]} if port else {}
    return {"name": name, "image": "x:1", **ports, **(PROBE if probe else {})}


@pytest.mark.parametrize(
    ("containers", "targets", "blind"),
    [
        ([container("http", 80)], ["http"], "container http has"),
        ([container("http", 80)], [80], "container http has"),
        ([container("http", 80, probe=True)], ["http"], ""),
        ([container("http", 80, probe=True), container("metrics", 90)], ["http"], ""),
        ([container("a", 80), container("b", 90)], ["a", 90], "containers a and b have"),
        ([container("a", 80), container("b", 90, probe=True)], [99], "container a has"),
        ([container("a"), container("b")], [99], "container a has"),
        ([container("a", probe=True), container("b")], [99], ""),
    ],
)
def test_who_gets_requests_has_a_readiness_probe(
    containers: list[JSON], targets: list[object], blind: str
) -> None:
    leads = service(ports=[{"port": 1, "targetPort": target} for target in targets])
    if blind:
        assert f"{blind} no readinessProbe" in message(
            "NoReadinessProbe", leads, of=pods(*containers)
        )
    else:
        assert reasons(leads, of=pods(*containers)) == []


def by_replicas(replicas: int, *weights: int) -> JSON:
    steps = [{"setWeight": weight} for weight in weights]
    return rollout(replicas=replicas, strategy={"canary": {"steps": steps}})


def test_one_replica() -> None:
    assert "spec.replicas is 1: when its node goes" in message("OneReplica", of=rollout(replicas=1))
    assert "one pod has no shares" in message("OneReplica", of=by_replicas(1, 25))
    assert reasons(of=rollout(replicas=0)) == []
    assert reasons(of=rollout(replicas=2)) == []


def test_an_autoscaler_says_how_few_pods_there_are() -> None:
    one = autoscaler(minReplicas=1)
    assert "HorizontalPodAutoscaler hpa may go down to 1 pod" in message("OneReplica", one)
    assert reasons(autoscaler(minReplicas=2), of=rollout(replicas=1)) == []


@pytest.mark.parametrize(
    ("replicas", "weights", "words"),
    [
        (4, [25, 50, 100], ""),
        (4, [10, 25], "10 % is 25 %;"),
        (3, [20, 50, 20], "20 % is 33 % and 50 % is 67 %;"),
        (100, [1, 2, 3, 0], ""),
    ],
)
def test_weights_that_so_many_pods_cannot_show(
    replicas: int, weights: list[int], words: str
) -> None:
    rolled = by_replicas(replicas, *weights)
    if words:
        assert words in message("RoundedWeights", of=rolled)
    else:
        assert reasons(of=rolled) == []
