"""What a release costs the API server, and that a settled Rollout costs nothing."""

import asyncio
from collections import Counter

import pytest

from rollouts.controller.manifests import CLUSTER_RULES
from rollouts.sandbox.crashes import CONTROLLER
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.sandbox import ReleaseSandbox
from tests.sandbox.releases.scenarios import Running, Scenario, name_of

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

MOST_WRITES = {
    "create replicasets": 1,
    "patch replicasets": 2,
    "create services": 1,
    "patch services": 1,
    "patch releaserecords": 1,
    "patch ingresses": 3,
    "delete ingresses": 1,
    "patch rollouts/status": 11,  # 2 more than its steps need: pods that take their time are counted
    "create events": 2,  # those that may wait go with the next, for a minute at the most
}
QUIET_SECONDS = 10
OF_A_CANARY = ("rollouts", "replicasets", "services", "ingresses", "events")
"""What is written for a canary on ingress-nginx; the other kinds are other strategies' and routers'."""


async def a_four_step_canary_costs_few_writes_and_a_settled_rollout_none(
    sandbox: ReleaseSandbox,
) -> None:
    release = sandbox.release("thrifty")
    await release.deploys(manifests.FOUR_STEPS)
    begin = len(sandbox.audit)
    async with release.traffic(50) as load:
        release.updates_to("2")
        await release.is_promoted()
    print_table(release, begin)
    assert load.report().lost_reasons == {}
    assert load.report().failed == 0
    writes = Counter(
        f"{each.verb} {'/'.join(filter(None, [each.resource, each.subresource]))}"
        for each in sandbox.audit.writes(release.namespace, begin)
    )
    assert writes <= Counter(MOST_WRITES)
    await stays_quiet(sandbox)
    uses_what_it_may(sandbox)


def print_table(release: Release, begin: int) -> None:
    writes = Counter(
        (each.user.rpartition(":")[2], each.verb, each.resource, each.subresource, each.status)
        for each in release.sandbox.audit.writes(release.namespace, begin)
    )
    for (user, verb, resource, subresource, status), count in sorted(writes.items()):
        print(
            f"{count:4}  {user}  {verb:7} {resource}{'/' * bool(subresource)}{subresource} {status}"
        )
    print(f"{writes.total():4}  in all")


async def stays_quiet(sandbox: ReleaseSandbox) -> None:
    """See that the controller asks for nothing: its watches were opened before."""
    begin = len(sandbox.audit)
    await asyncio.sleep(QUIET_SECONDS)  # what does not happen has no condition to wait for
    asked = [each for each in sandbox.audit[begin:] if CONTROLLER in each.user]
    assert asked == []
    if not sandbox.is_real:  # which counts them for nobody
        assert sandbox.api.open_watches >= 6


def uses_what_it_may(sandbox: ReleaseSandbox) -> None:
    """See that it was refused nothing, and may do hardly more to such a release than it does."""
    assert [each for each in sandbox.audit if each.status == 403] == []
    used = {(each.group, each.resource, each.verb) for each in sandbox.audit if each.status < 400}
    allowed = {
        (group, resource, verb)
        for rule in CLUSTER_RULES
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource in OF_A_CANARY
    }
    assert allowed - used <= {
        ("apps", "replicasets", "delete"),  # beyond revisionHistoryLimit
        ("", "events", "get"),  # to count up one that an earlier controller wrote
        ("", "events", "patch"),
        ("networking.k8s.io", "ingresses", "create"),  # an apply that creates is audited as patch
        ("rollouts.dev", "rollouts", "patch"),  # to give a bare command an id
    }


@pytest.mark.parametrize(
    "scenario", [a_four_step_canary_costs_few_writes_and_a_settled_rollout_none], ids=name_of
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)
