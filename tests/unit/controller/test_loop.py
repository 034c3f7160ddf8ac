"""The whole controller on fakes: it starts, keeps Rollouts apart, and stops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from rollouts.backoff import Backoff
from rollouts.controller.clock import SystemClock
from rollouts.controller.http_server import HttpServer
from rollouts.controller.loop import STOP_SECONDS, Controller, concurrently
from rollouts.controller.settings import ControllerSettings
from rollouts.errors import Unavailable
from rollouts.metrics.absent import no_sources
from rollouts.model.kinds import (
    COMMAND_ANNOTATION,
    JSON,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    FrozenJSON,
    Ref,
)
from rollouts.model.rollout_key import Key
from rollouts.model.routers.nginx import INGRESS
from rollouts.ports import Apply, MetricSources, Patch, Write
from tests.fakes.cluster import FakeCluster
from tests.fakes.control_loop import KEY, Told
from tests.fakes.kubernetes import Kubernetes, ingress, rollout, service, template
from tests.fakes.metrics import FakeMetrics
from tests.waiting import until


class Running:
    """A controller at work, and a cluster that acts a hundred times a second."""

    def __init__(
        self, sources: MetricSources | None = None, backoff: Backoff | None = None
    ) -> None:
        self.cluster = FakeCluster()
        self.cluster.put(SERVICE, service())
        self.cluster.put(INGRESS, ingress())
        self.told = Told()
        settings = ControllerSettings(interval_seconds=0.1, workers=2)
        self.controller = Controller(
            self.cluster,
            sources or FakeMetrics().sources,
            self.told,
            SystemClock(),
            settings,
            backoff=backoff or Backoff(0.01, 0.05),
        )
        self._kubernetes = Kubernetes(self.cluster)

    def put(self, name: str = "checkout", **changes: Any) -> None:
        body = rollout([{"setWeight": 50}], replicas=2, **changes)
        body["metadata"]["name"] = name
        self.cluster.put(ROLLOUT, body)

    def status(self, key: Key = KEY) -> JSON:
        found = self.cluster.get(key.ref)
        return dict((found or {}).get("status") or {})

    def sizes(self) -> dict[str, int]:
        """Return how many pods each revision is to have, by image."""
        found = [each["spec"] for each in self.cluster.select(REPLICA_SET, "shop")]
        images = (each["template"]["spec"]["containers"][0]["image"] for each in found)
        return dict(zip(images, (each["replicas"] for each in found), strict=True))

    async def until(self, condition: Callable[[], bool]) -> None:
        def settled() -> bool:
            self._kubernetes.settle()
            return condition()

        await until(settled, 20)

    @asynccontextmanager
    async def at_work(self, patience_seconds: float = STOP_SECONDS) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(self.controller.run(stop, patience_seconds))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await task


async def test_a_release_goes_through_by_changes_alone() -> None:
    running = Running()
    running.put()
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        running.cluster.edit(KEY.ref, {"spec": {"template": template("shop:2")}})
        await running.until(
            lambda: (
                running.status()["phase"] == "Healthy"
                and running.status()["stableRevision"]["number"] == 2
            )
        )

    assert [notification.reason for notification in running.told.notifications] == [
        "FirstDeploy",
        "RolloutStarted",
        "Promoted",
    ]


async def test_an_invalid_rollout_and_one_that_raises_disturb_nobody() -> None:
    running = Running()
    do_write = running.cluster.write

    async def cursed(write: Write) -> None:
        if isinstance(write, Patch) and write.ref.name == "cursed":
            raise ZeroDivisionError
        await do_write(write)

    running.cluster.write = cursed  # type: ignore[method-assign]
    running.put("invalid", replicaz=3)
    running.put("cursed")
    running.put()
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        await running.until(lambda: running.status(Key("shop", "invalid")) != {})

    metrics = running.controller.metrics.render().decode()
    assert 'rollouts_reconciles_total{outcome="bug"} 0.0' not in metrics
    assert 'rollouts{phase="Healthy"} 1.0' in metrics


async def test_of_two_rollouts_with_one_service_the_younger_waits_for_the_older_to_go() -> None:
    running, late = Running(), Key("shop", "late")
    running.put()
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        running.put("late")
        claimed = "Rollout checkout already releases Service checkout,"
        await running.until(lambda: claimed in str(running.status(late).get("conditions")))
        before = len(running.cluster.writes)
        running.cluster.edit(KEY.ref, {"spec": {"template": template("shop:2")}})
        await running.until(
            lambda: running.status().get("stableRevision", {}).get("number") == 2,
        )
        assert len(running.cluster.writes) - before < 60
        running.cluster.drop(KEY.ref)
        for kind in (SERVICE, INGRESS):  # its own go with it
            for each in running.cluster.select(kind, "shop"):
                if each["metadata"].get("ownerReferences"):
                    running.cluster.drop(Ref(kind, "shop", each["metadata"]["name"]))
        await running.until(lambda: running.status(late).get("phase") == "Healthy")


async def test_an_api_server_that_is_away_for_a_while_is_asked_again() -> None:
    running = Running()
    running.cluster.failures = [Unavailable("away")] * 5
    running.put()
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")

    metrics = running.controller.metrics.render().decode()
    assert 'rollouts_reconciles_total{outcome="retry"}' in metrics


async def test_a_write_that_hangs_does_not_keep_it_from_stopping() -> None:
    """An API server works on one for half a minute, after which the kubelet kills who has not ended."""
    running, tried, cut_off = Running(), list[Write](), list[Write]()

    async def hang(write: Write) -> None:
        tried.append(write)
        try:
            await asyncio.Event().wait()
        finally:
            cut_off.append(write)

    running.cluster.write = hang  # type: ignore[method-assign]
    running.put()
    async with running.at_work(patience_seconds=0.01):
        await running.until(lambda: bool(tried))
    assert cut_off == tried


async def test_nothing_is_measured_after_the_end_whatever_was_in_hand() -> None:
    """What is written meanwhile may be that a canary has got traffic."""
    running, held = Running(), list[Write]()
    do_write = running.cluster.write

    def names() -> set[str]:
        return {task.get_name().split()[0] for task in asyncio.all_tasks()}

    async def exposed_at_the_end(write: Write) -> None:
        status = write.body.get("status") or {} if isinstance(write, Patch) else {}
        if status.get("exposedAt"):
            held.append(write)
            await until(lambda: "changes" not in names())
        await do_write(write)

    running.put(successCriteria=[{"name": "errors", "errorRate": {"max": "1%"}}])
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        running.cluster.write = exposed_at_the_end  # type: ignore[method-assign]
        running.cluster.edit(KEY.ref, {"spec": {"template": template("shop:2")}})
        await running.until(lambda: bool(held))
    assert "measures" not in names()


async def test_an_abort_waits_for_no_writes_of_others() -> None:
    """All workers wait for answers, as when a webhook for Events hangs, or a quota is looked up for long."""
    running, held = Running(), list[str]()
    do_write = running.cluster.write

    async def slow_for_others(write: Write) -> None:
        if isinstance(write, Patch) and write.ref.kind == ROLLOUT and write.ref != KEY.ref:
            held.append(write.ref.name)
            await asyncio.Event().wait()
        await do_write(write)

    running.put()
    until_promoted = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
    running.cluster.edit(KEY.ref, {"spec": {"strategy": until_promoted}})
    async with running.at_work(patience_seconds=0.01):
        await running.until(lambda: running.status().get("phase") == "Healthy")
        running.cluster.edit(KEY.ref, {"spec": {"template": template("shop:2")}})
        await running.until(lambda: running.status()["weights"]["applied"] == 50)
        running.cluster.write = slow_for_others  # type: ignore[method-assign]
        for number in range(5):
            running.put(f"slow-{number}")
        await running.until(lambda: len(held) == 2)
        running.cluster.edit(KEY.ref, {"metadata": {"annotations": {COMMAND_ANNOTATION: "abort"}}})
        await running.until(lambda: running.status()["weights"]["applied"] == 0)
        assert len(held) == 2, "both workers wait still"


@pytest.mark.parametrize("lower", [0, 20], ids=["abort", "another weight"])
async def test_traffic_goes_back_on_all_routes_at_once(lower: int) -> None:
    """Each of these writes may take half a minute, as long as an API server waits for a webhook."""
    running, names = Running(), ["checkout", "more-1", "more-2"]
    do_write, held, answers = running.cluster.write, list[str](), asyncio.Event()

    async def hang(write: Write) -> None:
        if isinstance(write, Apply) and write.kind == INGRESS:
            held.append(write.body["metadata"]["name"])
            await answers.wait()
        await do_write(write)

    for name in names[1:]:
        running.cluster.put(INGRESS, {**ingress(), "metadata": {"namespace": "shop", "name": name}})
    running.put()
    canary = {"trafficRouting": {"nginx": {"stableIngresses": names}}}
    steps = [{"setWeight": 50}, {"pause": {}}, {"setWeight": lower}, {"pause": {}}]
    running.cluster.edit(KEY.ref, {"spec": {"strategy": {"canary": {**canary, "steps": steps}}}})
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        running.cluster.edit(KEY.ref, {"spec": {"template": template("shop:2")}})
        await running.until(lambda: running.status()["weights"]["applied"] == 50)
        running.cluster.write = hang  # type: ignore[method-assign]
        abort = {"metadata": {"annotations": {COMMAND_ANNOTATION: "abort"}}}
        promote = {"metadata": {"annotations": {COMMAND_ANNOTATION: "promote"}}}
        running.cluster.edit(KEY.ref, promote if lower else abort)
        await running.until(lambda: len(held) == len(names))
        assert running.status()["weights"]["applied"] == 50, "status follows traffic"
        answers.set()
        await running.until(lambda: running.status()["weights"]["applied"] == lower)


async def test_one_whose_priority_can_not_be_told_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = list[str]()

    def raises(rollout: FrozenJSON, *_: object) -> bool:
        asked.append(rollout["metadata"]["name"])
        raise ZeroDivisionError

    monkeypatch.setattr("rollouts.controller.queue_priority.is_urgent", raises)
    running = Running()
    for number in range(5):  # more than there are workers
        running.put(f"other-{number}")
    running.put()
    running.cluster.edit(KEY.ref, {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}})
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
    assert asked


async def test_what_is_due_does_not_wait_for_the_end_of_a_back_off() -> None:
    """The old pods' time is over, although pods can't be labelled and the next try of that is far away."""
    running = Running(backoff=Backoff(1000, 1000))
    running.put()
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        running.cluster.refuses = lambda write: (
            Unavailable("away") if isinstance(write, Patch) and write.ref.kind == POD else None
        )
        canary = {"scaleDownDelaySeconds": 1, "stableMetadata": {"labels": {"tier": "gold"}}}
        changed = {"template": template("shop:2"), "strategy": {"canary": canary}}
        running.cluster.edit(KEY.ref, {"spec": changed})
        await running.until(lambda: running.sizes() == {"shop:1": 0, "shop:2": 2})


async def test_without_a_prometheus_criteria_say_so_and_nobody_is_promoted() -> None:
    running = Running(no_sources())
    running.put(successCriteria=[{"name": "errors", "errorRate": {"max": "1%"}, "errorLimit": 0}])
    async with running.at_work():
        await running.until(lambda: running.status().get("phase") == "Healthy")
        running.cluster.edit(KEY.ref, {"spec": {"template": template("shop:2")}})
        await running.until(lambda: running.status()["phase"] == "Paused")

    assert running.status()["pause"]["reason"] == "MetricsUnavailable"
    assert "no Prometheus is named" in running.status()["criteria"][0]["message"]


@pytest.fixture
async def endpoints(unused_tcp_port: int) -> AsyncIterator[tuple[str, list[str]]]:
    findings: list[str] = []
    made = HttpServer(lambda: b"rollouts_is_leader 1.0\n", lambda: findings)
    await made.start("127.0.0.1", unused_tcp_port)
    yield f"http://127.0.0.1:{unused_tcp_port}", findings
    await made.stop()


async def test_the_endpoints_answer(endpoints: tuple[str, list[str]]) -> None:
    url, findings = endpoints
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(url + path) as response:
                return response.status, await response.text()

        assert await get("/healthz") == (200, "ok\n")
        assert await get("/readyz") == (200, "ok\n")
        assert await get("/metrics") == (200, "rollouts_is_leader 1.0\n")
        findings.append("Ingress: not permitted")
        assert await get("/readyz") == (503, "Ingress: not permitted\n")
        assert (await get("/healthz"))[0] == 200


async def test_a_bug_in_one_write_takes_none_of_the_others_away() -> None:
    done = list[str]()

    async def breaks() -> None:
        raise ZeroDivisionError

    async def goes_on() -> None:
        await asyncio.sleep(0)
        done.append("written")

    with pytest.raises(ZeroDivisionError):
        await concurrently([breaks(), goes_on()])
    assert done == ["written"]
