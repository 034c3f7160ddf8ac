"""An API server that comes back from an older backup: what it has is believed, and nothing of the lost future."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from rollouts.errors import Outdated, Unavailable
from rollouts.kube.cluster import KubeCluster
from rollouts.kube.connection import Connection
from rollouts.kube.reflector import WatchTiming
from rollouts.model.kinds import JSON, POD, SERVICE, Ref
from rollouts.ports import Delete, Patch, Scope
from tests.fakes.api_server import FakeApiServer, status
from tests.fakes.watched_pods import PODS, QUICK, A, B, pod, started
from tests.waiting import until

SERVICES = "/api/v1/services"
WEB = "/api/v1/namespaces/shop/services/web"


@pytest.fixture
async def both(api: FakeApiServer, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    kinds = {POD: Scope(), SERVICE: Scope()}
    made = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], kinds, timing=QUICK)
    yield made
    await made.stop()


async def cannot_be_reached(api: FakeApiServer, cluster: KubeCluster) -> None:
    """Break the watches, and let nobody list or watch from now on; return when each has noticed."""
    watches = api.watching
    api.faults.append(lambda each: status(503, "away") if each.path in (PODS, SERVICES) else None)
    api.cut()
    kinds = ("Pod: ", "Service: ")
    await until(lambda: sum(_is_away(each, kinds) for each in cluster.problems()) == watches)


def _is_away(problem: str, kinds: tuple[str, ...]) -> bool:
    return problem.startswith(kinds) and "away" in problem


def spec(cluster: KubeCluster, name: str = "a") -> object:
    return (cluster.get(pod(name)) or {}).get("spec")


async def test_who_could_not_be_reached_is_asked_for_all_that_there_is(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """Its resourceVersions may have passed those that we know: a watch from there would say nothing of the lost."""
    before = dict(api.objects)
    await started(cluster, api)
    api.put(A, {"spec": "lost"})
    await until(lambda: spec(cluster) == "lost")
    await cannot_be_reached(api, cluster)
    api.come_back(before, api.version + 10)
    api.faults.clear()
    await until(lambda: cluster.get(pod("a")) is None)


async def test_what_was_deleted_in_the_lost_future_is_there_again(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    api.put(A, {"spec": "old"})
    before, version = dict(api.objects), api.version
    await started(cluster, api)
    api.hushed = True
    await cluster.write(Delete(pod("a")))
    assert cluster.get(pod("a")) is None
    await cannot_be_reached(api, cluster)
    api.come_back(before, version + 10)
    api.faults.clear()
    await until(lambda: spec(cluster) == "old")


async def test_what_a_lost_write_returned_is_not_kept(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """The watch had not told of it yet, and the backup is of that moment or later."""
    api.put(A, {"spec": "old"})
    before = dict(api.objects)
    await started(cluster, api)
    api.hushed = True
    await cluster.write(Patch(pod("a"), {"spec": "lost"}))
    assert spec(cluster) == "lost"
    await cannot_be_reached(api, cluster)
    api.come_back(before, api.version - 1)
    api.faults.clear()
    await until(lambda: spec(cluster) == "old")


async def test_when_one_watch_finds_it_out_all_begin_anew(
    api: FakeApiServer, both: KubeCluster
) -> None:
    """A watch that is open and silent does not find out by itself that what it waits for is lost."""
    api.put(WEB, {"spec": "old"})
    before, version = dict(api.objects), api.version
    await both.start()
    await until(lambda: api.watching == 2)
    api.put(A, {"spec": "lost"})
    await until(lambda: spec(both) == "lost")
    api.put(WEB, {"spec": "lost"})
    service = Ref(SERVICE, "shop", "web")
    await until(lambda: (both.get(service) or {})["spec"] == "lost")
    api.come_back(before, version)
    api.faults.append(lambda each: _cut_off(each, SERVICES))
    for plural, queue in api._watches:
        if plural == "services":
            queue.put_nowait(None)
    await until(lambda: (both.get(service) or {})["spec"] == "old" and both.get(pod("a")) is None)


async def test_nothing_is_written_until_all_is_known_anew(
    api: FakeApiServer, both: KubeCluster
) -> None:
    """What has been decided is of a mixture of what is and what never happened."""
    await both.start()
    await until(lambda: api.watching == 2)
    before, version = dict(api.objects), api.version
    api.put(A, {"spec": "lost"})
    await until(lambda: spec(both) == "lost")
    await cannot_be_reached(api, both)
    api.come_back(before, version)
    api.faults[:] = [lambda each: status(503, "away") if each.path == SERVICES else None]
    await until(lambda: both.get(pod("a")) is None)
    with pytest.raises(Unavailable, match="older backup"):
        await both.write(Patch(pod("b"), {"spec": "new"}))
    api.faults.clear()
    api.put(B, {"spec": "old"})
    await until(lambda: spec(both, "b") == "old" and not both.problems())
    await both.write(Patch(pod("b"), {"spec": "new"}))
    assert spec(both, "b") == "new"


async def test_a_kind_that_is_refused_for_a_moment_is_waited_for_too(
    api: FakeApiServer, tmp_path: Path
) -> None:
    """An API server that starts refuses all, also what it will allow: what is known of it is of the lost future."""
    kinds = {POD: Scope(), SERVICE: Scope(needed=False)}
    cluster = KubeCluster(Connection(api.kubeconfig(tmp_path)), [], kinds, timing=QUICK)
    await cluster.start()
    await until(lambda: api.watching == 2)
    before, version = dict(api.objects), api.version
    api.put(A, {"spec": "lost"})
    api.put(WEB, {"spec": "lost"})
    service = Ref(SERVICE, "shop", "web")
    await until(lambda: spec(cluster) == "lost" and cluster.get(service) is not None)
    await cannot_be_reached(api, cluster)
    api.come_back(before, version)
    refusals = [403]

    def starts(request: web.Request) -> web.Response | None:
        if request.path != SERVICES:
            return None
        begun = "older backup" in " ".join(cluster.problems())
        return status(refusals.pop() if refusals and begun else 503, "starts")

    api.faults[:] = [starts]
    await until(lambda: not refusals)
    asked = api.count("GET", SERVICES)
    await until(lambda: api.count("GET", SERVICES) > asked)
    with pytest.raises(Unavailable, match="older backup"):
        await cluster.write(Patch(pod("b"), {"spec": "new"}))
    api.faults.clear()
    await until(lambda: cluster.get(service) is None)
    await cluster.stop()


async def test_it_is_not_ready_until_all_is_known_anew(
    api: FakeApiServer, both: KubeCluster
) -> None:
    await both.start()
    await until(lambda: api.watching == 2)
    before, version = dict(api.objects), api.version
    api.put(A, {"spec": "lost"})
    await until(lambda: spec(both) == "lost")
    assert both.synced()
    await cannot_be_reached(api, both)
    api.come_back(before, version)
    api.faults[:] = [lambda each: status(503, "away") if each.path == SERVICES else None]
    await until(lambda: both.get(pod("a")) is None)
    assert not both.synced()
    api.faults.clear()
    await until(both.synced)


@pytest.fixture
async def resting(api: FakeApiServer, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    """Its watches rest for a minute when they have failed, as they do after a long time without an API server."""
    connection = Connection(api.kubeconfig(tmp_path))
    made = KubeCluster(connection, [], {POD: Scope()}, timing=WatchTiming(first_delay_seconds=60.0))
    yield made
    await made.stop()


async def lost(api: FakeApiServer, cluster: KubeCluster) -> tuple[dict[str, JSON], int]:
    """Have the cluster know what a backup does not have; return that backup."""
    api.put(A, {"spec": "old"})
    backup = dict(api.objects), api.version
    await started(cluster, api)
    api.put(A, {"spec": "lost"})
    await until(lambda: spec(cluster) == "lost")
    return backup


async def goes_away(api: FakeApiServer, cluster: KubeCluster) -> None:
    """Break the watches, and let nobody list; return when that was noticed."""
    api.faults.append(lambda each: status(503, "away") if each.path == PODS else None)
    api.cut()
    await until(cluster.problems)


DECIDED = Patch(pod("a"), {"spec": "decided by what was lost"})


async def test_an_older_one_is_not_written_to_by_what_was_known_before(
    api: FakeApiServer, resting: KubeCluster
) -> None:
    """The watches rest, and would not find it out in time."""
    backup = await lost(api, resting)
    await goes_away(api, resting)
    api.come_back(*backup)
    api.faults.clear()
    with pytest.raises(Unavailable, match="older backup"):
        await resting.write(DECIDED)
    await until(lambda: spec(resting) == "old" and not resting.problems())
    assert api.objects[A]["spec"] == "old"


async def test_the_same_one_is_written_to_while_the_watches_still_rest(
    api: FakeApiServer, resting: KubeCluster
) -> None:
    await lost(api, resting)
    await goes_away(api, resting)
    api.faults.clear()
    await resting.write(DECIDED)
    assert api.objects[A]["spec"] == DECIDED.body["spec"]
    assert resting.problems(), "they rest"


async def test_one_that_does_not_say_who_it_is_is_not_written_to(
    api: FakeApiServer, resting: KubeCluster
) -> None:
    """One that starts serves what it is made with before what definitions add."""
    await lost(api, resting)
    await goes_away(api, resting)
    with pytest.raises(Unavailable, match=r"has not said yet.*: away"):
        await resting.write(DECIDED)
    assert api.objects[A]["spec"] == "lost"


async def test_who_may_not_read_one_kind_any_more_asks_about_another(
    api: FakeApiServer, tmp_path: Path
) -> None:
    connection = Connection(api.kubeconfig(tmp_path))
    timing = WatchTiming(first_delay_seconds=60.0)
    cluster = KubeCluster(connection, [], {SERVICE: Scope(), POD: Scope()}, timing=timing)
    await lost(api, cluster)
    api.faults.append(lambda each: status(403, "no") if each.path == SERVICES else None)
    await goes_away(api, cluster)
    api.faults.pop()
    await cluster.write(DECIDED)
    assert api.objects[A]["spec"] == DECIDED.body["spec"]
    await cluster.stop()


async def test_one_whose_versions_were_raised_is_an_older_one_too(
    api: FakeApiServer, resting: KubeCluster
) -> None:
    """As etcd's guide to restoring for Kubernetes asks for, so that no watch goes on."""
    objects, version = await lost(api, resting)
    await goes_away(api, resting)
    api.come_back(objects, version + 1_000_000_000)
    api.faults.clear()
    with pytest.raises(Outdated, match="older backup"):
        await resting.write(DECIDED)
    await until(lambda: spec(resting) == "old" and not resting.problems())
    assert api.objects[A]["spec"] == "old"


async def test_versions_of_two_kinds_are_not_compared(api: FakeApiServer, tmp_path: Path) -> None:
    """They may be kept in etcds of their own, and only those of one kind are in one order."""
    connection = Connection(api.kubeconfig(tmp_path))
    timing = WatchTiming(first_delay_seconds=60.0)
    cluster = KubeCluster(connection, [], {SERVICE: Scope(), POD: Scope()}, timing=timing)
    _, version = await lost(api, cluster)
    behind = {"metadata": {"resourceVersion": str(version)}, "items": []}
    await goes_away(api, cluster)
    api.faults[:] = [lambda each: web.json_response(behind) if each.path == SERVICES else None]
    await cluster.write(DECIDED)
    assert api.objects[A]["spec"] == DECIDED.body["spec"]
    await cluster.stop()


async def test_a_write_that_nobody_answers_raises_the_doubt_as_well(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """The watches may hang still, and would not break for a minute."""
    backup = await lost(api, cluster)
    refusals = [503]
    api.faults.append(
        lambda each: status(refusals.pop(), "away") if each.method == "PATCH" and refusals else None
    )
    with pytest.raises(Unavailable, match="away"):
        await cluster.write(DECIDED)
    api.come_back(*backup)
    with pytest.raises(Outdated):
        await cluster.write(DECIDED)
    assert api.objects[A]["spec"] == "old"


async def test_why_nothing_is_written_is_said(api: FakeApiServer, resting: KubeCluster) -> None:
    await lost(api, resting)
    await goes_away(api, resting)
    await until(lambda: "has not said yet" in " ".join(resting.problems()))
    api.faults.clear()
    await until(lambda: "has not said yet" not in " ".join(resting.problems()))


async def test_a_watch_that_goes_on_at_once_with_an_older_one_is_not_silent_for_long(
    api: FakeApiServer, cluster: KubeCluster
) -> None:
    """It is told nothing of what never happened."""
    backup = await lost(api, cluster)
    api.come_back(*backup)
    api.cut()
    await until(lambda: spec(cluster) == "old")


def _cut_off(request: web.Request, path: str) -> web.Response | None:
    """Let no watch of these begin, once they were not listed."""
    watch = request.path == path and request.query.get("watch")
    return status(503, "away") if watch else None
