import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.errors import (
    Conflict,
    Forbidden,
    InvalidSpec,
    NotFound,
    Permanent,
    RetryLater,
    Unauthorized,
    Unavailable,
)
from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.model.kinds import JSON, POD, SERVICE, Ref
from rollouts.ports import Apply, Create, Delete, Evict, Patch, Record
from tests.fakes.api_server import FakeApiServer, status
from tests.fakes.watched_pods import A, B, pod, started
from tests.waiting import until


async def test_what_a_write_returned_is_in_the_cache_at_once_and_told_once(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    changes = await started(cluster, api)
    body = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"x": 1}}
    await cluster.write(Create(POD, body))
    created = cluster.get(pod("a"))
    assert created is not None
    assert created["spec"] == {"x": 1}
    await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))
    patched = cluster.get(pod("a"))
    assert patched is not None
    assert patched["spec"] == {"x": 2}
    assert created["spec"] == {"x": 1}
    assert await anext(changes) == pod("a")
    api.put(B, {})  # arrives after the watch has told of our own writes
    assert await anext(changes) == pod("b")


async def test_an_older_event_does_not_undo_a_write(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    old = api.put(A, {"spec": {"x": 1}})
    await started(cluster, api)
    await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))
    api.send(json.dumps({"type": "MODIFIED", "object": old}).encode() + b"\n")
    api.put(B, {})
    await until(lambda: cluster.get(pod("b")))
    found = cluster.get(pod("a"))
    assert found is not None
    assert found["spec"] == {"x": 2}


async def test_a_deleted_object_does_not_come_back_by_a_late_event(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    api.put(A, {"spec": {"x": 1}})
    await started(cluster, api)
    done = web.json_response({"kind": "Status", "status": "Success"})
    api.faults.append(lambda request: done if request.method == "DELETE" else None)
    await cluster.write(Delete(pod("a")))
    assert cluster.get(pod("a")) is None
    api.put(A, {"spec": {"x": 2}})  # the watch lags behind the answer
    api.put(B, {})
    await until(lambda: cluster.get(pod("b")))
    assert cluster.get(pod("a")) is None
    api.drop(A)
    api.faults.clear()
    await cluster.write(Delete(pod("a")))


async def test_the_end_of_an_object_is_not_that_of_the_next_one_of_its_name(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """The watch may tell of both before the delete is answered."""
    api.put(A, {"metadata": {"uid": "next"}})
    changes = await started(cluster, api)
    api.faults.append(lambda each: status(404, "gone") if each.method == "DELETE" else None)
    await cluster.write(Delete(pod("a"), "before"))
    assert cluster.get(pod("a")) is not None
    api.put(A, {"metadata": {"uid": "next"}, "spec": {"x": 1}})
    assert await anext(changes) == pod("a")
    assert (cluster.get(pod("a")) or {})["spec"] == {"x": 1}


async def test_a_write_that_changes_nothing_makes_no_request(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    ports = [{"port": 80, "protocol": "TCP"}]
    api.put(A, {"spec": {"x": 1, "ports": ports}, "status": {"ready": True}})
    await started(cluster, api)
    before = len(api.requests)
    await cluster.write(Patch(pod("a"), {"spec": {"x": 1, "gone": None}}))
    await cluster.write(Patch(pod("a"), {"status": {"ready": True}}, "status"))
    metadata = {"name": "a", "namespace": "shop"}
    await cluster.write(Apply(POD, {"metadata": metadata, "spec": {"ports": [{"port": 80}]}}))
    assert len(api.requests) == before
    await cluster.write(Apply(POD, {"metadata": metadata, "spec": {"ports": [{"port": 81}]}}))
    assert len(api.requests) == before + 1
    assert api.queries[-1] == {"fieldManager": "rollouts", "force": "true"}


async def test_an_apply_that_drops_a_field_of_ours_is_made(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    owned: JSON = {"f:spec": {"f:x": {}, "f:y": {}}}
    entry = {"manager": "rollouts", "operation": "Apply", "fieldsV1": owned}
    api.put(A, {"metadata": {"managedFields": [entry]}, "spec": {"x": 1, "y": 2, "z": 3}})
    await started(cluster, api)
    before = len(api.requests)
    metadata = {"name": "a", "namespace": "shop"}
    await cluster.write(Apply(POD, {"metadata": metadata, "spec": {"x": 1, "y": 2}}))
    assert len(api.requests) == before
    await cluster.write(Apply(POD, {"metadata": metadata, "spec": {"x": 1}}))
    assert len(api.requests) == before + 1


async def test_a_value_that_the_server_writes_in_another_way_is_applied_once(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    metadata = {"name": "a", "namespace": "shop"}

    def normalise(request: web.Request) -> web.Response | None:
        if request.method != "PATCH":
            return None
        return web.json_response(api.put(A, {"spec": {"cpu": "1"}, "status": {"x": api.version}}))

    api.faults.append(normalise)
    write = Apply(POD, {"metadata": metadata, "spec": {"cpu": "1000m"}})
    await cluster.write(write)
    before = len(api.requests)
    await cluster.write(write)
    api.put(A, {"spec": {"cpu": "1"}, "status": {"ready": True}})
    await until(lambda: (cluster.get(pod("a")) or {}).get("status") == {"ready": True})
    await cluster.write(write)
    assert len(api.requests) == before
    api.put(A, {"spec": {"cpu": "2"}})
    await until(lambda: (cluster.get(pod("a")) or {}).get("spec") == {"cpu": "2"})
    await cluster.write(write)
    assert len(api.requests) == before + 1


async def test_a_patch_of_scale_is_in_the_cache_though_the_answer_is_a_scale(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    api.put(A, {"spec": {"replicas": 1, "template": {}}})
    await started(cluster, api)
    scale = {"kind": "Scale", "metadata": {"resourceVersion": "500"}, "spec": {"replicas": 3}}
    api.faults.append(lambda r: web.json_response(scale) if r.method == "PATCH" else None)
    await cluster.write(Patch(pod("a"), {"spec": {"replicas": 3}}, "scale"))
    found = cluster.get(pod("a"))
    assert found is not None
    assert found["spec"] == {"replicas": 3, "template": {}}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (409, Conflict),
        (404, NotFound),
        (403, Forbidden),
        (401, Unauthorized),
        (429, Unavailable),
        (500, Unavailable),
        (422, InvalidSpec),
    ],
)
async def test_a_refusal_is_told_by_its_consequence(
    api: FakeApiServer, cluster: KubeCluster, code: int, expected: type[Exception]
) -> None:
    await started(cluster, api)
    api.faults.append(lambda _: status(code, "because"))
    with pytest.raises(expected, match="because"):
        await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))


async def test_fields_and_times_in_a_refusal_are_carried_on(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    causes = [{"field": "spec.replicas", "message": "must not be negative"}]
    api.faults.append(lambda _: status(422, "invalid", causes=causes))
    with pytest.raises(InvalidSpec) as invalid:
        await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))
    assert str(invalid.value) == "spec.replicas: must not be negative"
    api.faults[:] = [lambda _: web.Response(status=429, text="slow", headers={"Retry-After": "7"})]
    with pytest.raises(Unavailable) as slow:
        await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))
    assert slow.value.after_seconds == 7


async def test_an_eviction_that_a_budget_forbids_says_by_how_much(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    causes = [{"reason": "DisruptionBudget", "message": "web needs 2 healthy pods and has 2"}]
    api.faults.append(lambda _: status(429, "Cannot evict pod.", causes=causes))
    with pytest.raises(RetryLater) as forbidden:
        await cluster.write(Evict(pod("a")))
    assert str(forbidden.value) == "Cannot evict pod. web needs 2 healthy pods and has 2"
    assert not isinstance(forbidden.value, Unavailable)


async def test_an_eviction_that_failed_with_http_201_has_failed(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    failure = {"kind": "Status", "status": "Failure", "code": 500, "message": "two budgets"}
    api.faults.append(lambda _: web.json_response(failure, status=201))
    with pytest.raises(RetryLater, match="two budgets"):
        await cluster.write(Evict(pod("a")))


async def test_an_eviction_is_made_as_an_older_cluster_knows_it(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    answers = [web.json_response({"kind": "Status"}), status(400, "no kind Eviction in policy/v1")]
    api.faults.append(lambda _: answers.pop())
    await cluster.write(Evict(pod("a")))
    assert [body["apiVersion"] for body in api.bodies[-2:]] == ["policy/v1", "policy/v1beta1"]
    api.faults[:] = [lambda _: status(400, "broken")]
    with pytest.raises(Permanent, match="broken"):
        await cluster.write(Evict(pod("a")))


async def test_who_does_not_lead_does_not_write(api: FakeApiServer, cluster: KubeCluster) -> None:
    await started(cluster, api)
    before = len(api.requests)
    cluster.seconds_left = lambda: 0.0
    with pytest.raises(Unavailable, match="lead"):
        await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))
    assert len(api.requests) == before


async def test_such_a_value_is_applied_once_also_when_the_watch_is_ahead_of_the_answer(
    api: FakeApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(cluster, api)

    async def patch(_: web.Request) -> web.Response:
        made = api.put(A, {"spec": {"cpu": "1"}})
        await until(lambda: cluster.get(pod("a")))
        made["metadata"]["managedFields"] = [{"manager": "rollouts", "operation": "Apply"}]
        return web.json_response(made)

    monkeypatch.setattr(api, "_patch", patch)
    write = Apply(POD, {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"cpu": "1000m"}})
    await cluster.write(write)
    before = len(api.requests)
    await cluster.write(write)
    assert len(api.requests) == before


def hold_patches(api: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let the API server answer no patch until the event is set."""
    answered, patch = asyncio.Event(), api._patch

    async def wait(request: web.Request) -> web.Response:
        await answered.wait()
        return await patch(request)

    monkeypatch.setattr(api, "_patch", wait)
    return answered


async def test_a_write_goes_on_for_as_long_as_we_lead(
    api: FakeApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admission webhook may take longer than is left of the lease, which is renewed meanwhile."""
    api.put(A, {"spec": {"x": 1}})
    await started(cluster, api)
    answered = hold_patches(api, monkeypatch)
    renewals = iter([0.01] * 20)

    def renewed() -> float:
        if (left := next(renewals, None)) is None:
            answered.set()
        return left or 5.0

    cluster.seconds_left = renewed
    await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))
    assert (cluster.get(pod("a")) or {})["spec"] == {"x": 2}


async def test_a_write_is_given_up_when_we_lead_no_more(
    api: FakeApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(A, {"spec": {"x": 1}})
    await started(cluster, api)
    answered = hold_patches(api, monkeypatch)
    left = iter([0.01, 0.01])
    cluster.seconds_left = lambda: next(left, 0.0)
    with pytest.raises(Unavailable, match="another controller leads"):
        await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))
    answered.set()


async def test_an_apply_is_given_up_after_its_own_time(
    api: FakeApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put(A, {"spec": {"x": 1}})
    await started(cluster, api)
    answered = hold_patches(api, monkeypatch)
    body = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"x": 2}}
    with pytest.raises(Unavailable):
        await cluster.write(Apply(POD, body, within_seconds=0.01))
    answered.set()


async def test_equal_events_are_counted_up_also_by_a_new_process(
    api: FakeApiServer, cluster: KubeCluster, tmp_path: Path
) -> None:
    await started(cluster, api)
    about = api.put(A, {"kind": "Pod", "apiVersion": "v1"})
    said = Record(about, "Normal", "Promoted", "revision 2 is stable")
    await cluster.write(said)
    await cluster.write(said)
    successor = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], {})
    await successor.write(said)
    await successor.stop()
    [event] = [obj for path, obj in api.objects.items() if "/events/" in path]
    assert event["count"] == 3
    assert event["source"] == {"component": "rollouts"}
    assert event["involvedObject"]["uid"] == "uid-a"


async def test_an_event_that_fails_fails_nothing(api: FakeApiServer, cluster: KubeCluster) -> None:
    await started(cluster, api)
    about = api.put(A, {"kind": "Pod"})
    api.faults.append(lambda _: status(403, "no events for you"))
    await cluster.write(Record(about, "Warning", "X", "y"))


async def test_credentials_that_expired_are_read_again(
    api: FakeApiServer, cluster: KubeCluster, tmp_path: Path
) -> None:
    await started(cluster, api)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(kubeconfig.read_text().replace("first", "second"))

    def second_only(request: web.Request) -> web.Response | None:
        accepted = request.headers["Authorization"] == "Bearer second"
        return None if accepted else status(401, "Unauthorized")

    api.faults.append(second_only)
    await cluster.write(Create(POD, {"metadata": {"name": "a", "namespace": "shop"}}))
    assert cluster.get(pod("a")) is not None


async def test_an_api_server_that_is_gone_is_unavailable(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    await api.stop()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        await cluster.write(Patch(pod("a"), {"spec": {"x": 2}}))


async def test_a_kind_that_is_not_watched_can_be_written_but_not_read(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    await started(cluster, api)
    await cluster.write(Create(SERVICE, {"metadata": {"name": "s", "namespace": "shop"}}))
    with pytest.raises(LookupError):
        cluster.get(Ref(SERVICE, "shop", "s"))
