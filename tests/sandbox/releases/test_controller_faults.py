"""The controller dies, is cut off, or is refused: releases go on as if nothing had been."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from rollouts.model.kinds import JSON
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.audit import AuditEntry
from rollouts.sandbox.crashes import CONTROLLER, crashing
from rollouts.sandbox.load import Load
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

RELEASES = 3
EVERY = 3
QUICK: list[JSON] = [
    {"setWeight": 25},
    {"pause": {"duration": "1s"}},
    {"setWeight": 50},
    {"pause": {"duration": "1s"}},
]


def in_turns(namespaces: list[str]) -> Callable[[AuditEntry], bool]:
    """Choose, of the release number i, the writes i, i + EVERY, i + 2 * EVERY, …: together all."""
    points = {each: range(i + 1, 1000, EVERY) for i, each in enumerate(namespaces)}
    writes: Counter[str] = Counter()

    def chosen(entry: AuditEntry) -> bool:
        if entry.namespace not in points:
            return False
        writes[entry.namespace] += 1
        return writes[entry.namespace] in points[entry.namespace]

    return chosen


def of_the_controller(sandbox: ReleaseSandbox, begin: int) -> list[AuditEntry]:
    """Return what the controller has asked of the API server since then."""
    return [each for each in sandbox.audit[begin:] if CONTROLLER in each.user]


async def killed_after_each_of_its_writes_it_loses_nothing(sandbox: ReleaseSandbox) -> None:
    releases = [sandbox.release(f"shop-{number}") for number in range(RELEASES)]
    await asyncio.gather(*(release.deploys(QUICK) for release in releases))

    async def under_traffic(release: Release, version: str, **environment: str) -> None:
        async with release.traffic(20) as load:
            release.updates_to(version, **environment)
            if environment:
                assert (await release.is_rolled_back()).startswith("errors: ")
            else:
                await release.is_promoted()
        assert load.report().lost_reasons == {}
        assert load.report().versions["1"].failed == 0

    *good, bad = releases
    chosen = in_turns([release.namespace for release in releases])
    async with crashing(sandbox, chosen) as fatal:
        await asyncio.gather(
            *(under_traffic(release, "2") for release in good),
            under_traffic(bad, "2", ERROR_RATE="40%"),
        )
    print(f"killed {len(fatal)} times: {Counter(fatal)}")
    assert len(fatal) >= 10
    assert any("ingresses" in each for each in fatal)
    assert any("rollouts/status" in each for each in fatal)
    assert {release.stable for release in good} == {2}
    assert bad.stable == 1


async def cut_off_refused_and_told_that_the_past_is_gone_it_goes_on(
    sandbox: ReleaseSandbox,
) -> None:
    good, bad = sandbox.release("good"), sandbox.release("bad")
    await asyncio.gather(good.deploys(manifests.FOUR_STEPS), bad.deploys(manifests.FOUR_STEPS))
    api = sandbox.api

    async def trouble(load: Load) -> None:
        for code in (409, 500, 503, 409, 500):
            begun = len(sandbox.audit)
            api.faults.clear()  # what nobody has met: it would add up
            api.faults.fail_writes("", code=code)
            api.faults.fail_writes(INGRESS.plural, code=500)
            api.faults.fail("list", code=503)
            api.compact()
            api.cut_watches()
            await good.serves(load, 27)  # 1.35 s: not in step with the looks at metrics
            while not any(each.status == code for each in of_the_controller(sandbox, begun)):
                await good.serves(load, 5)
        api.faults.clear()
        while True:
            api.compact()
            api.cut_watches()
            await good.serves(load, 27)

    begin = len(sandbox.audit)
    async with good.traffic() as load, bad.traffic() as bad_load:
        troubling = asyncio.create_task(trouble(load))
        good.updates_to("2")
        bad.updates_to("2", ERROR_RATE="30%")
        try:
            reason = await bad.is_rolled_back()
            await good.is_promoted()
        finally:
            troubling.cancel()
            await asyncio.gather(troubling, return_exceptions=True)
            api.faults.clear()
    ours = of_the_controller(sandbox, begin)
    refused = Counter(each.status for each in ours if each.status >= 400)
    print(f"refused: {refused}; lists: {sum(each.verb == 'list' for each in ours)}")
    assert reason.startswith("errors: ")
    assert {409, 410, 500} <= set(refused)
    assert load.report().lost_reasons == bad_load.report().lost_reasons == {}
    assert load.report().failed == bad_load.report().versions["1"].failed == 0
    assert "Traceback" not in sandbox.controller_log()


async def an_api_server_that_does_not_answer_is_waited_for(sandbox: ReleaseSandbox) -> None:
    release = sandbox.release("patient")
    await release.deploys(manifests.FOUR_STEPS)
    async with release.traffic() as load:
        release.updates_to("2")
        await release.is_at(25)
        sandbox.hang_api_server()
        await release.serves(load, 100)
        assert release.weight == 25
        sandbox.resume_api_server()
        await release.is_promoted()
    assert load.report().lost_reasons == {}


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(  # one release at a time by day: tests/sandbox/kills
            killed_after_each_of_its_writes_it_loses_nothing,
            marks=pytest.mark.nightly,
            id=name_of(killed_after_each_of_its_writes_it_loses_nothing),
        ),
        cut_off_refused_and_told_that_the_past_is_gone_it_goes_on,
        an_api_server_that_does_not_answer_is_waited_for,
    ],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
