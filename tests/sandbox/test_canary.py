"""
Canaries end to end on real traffic, with a table of what they write, and what goes wrong.

The app answers each request with its version, so that what was lost is told apart from
what the release itself got wrong.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from rollouts.controller.manifests import CLUSTER_RULES, manifests
from rollouts.model.kinds import INGRESS, JSON, MANAGED_BY_LABEL, POD, ROLLOUT, SERVICE, Kind, Ref
from rollouts.sandbox.environment import Sandbox
from rollouts.sandbox.load import Load, LoadReport, Target
from tests.waiting import until

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(240)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "canary-nginx.yaml"
REF = Ref(ROLLOUT, "default", "checkout")
WATCHED = {"get", "list", "watch"}
FOUR_STEPS: list[JSON] = [
    {"setWeight": 25},
    {"pause": {"duration": "5s"}},
    {"setWeight": 50},
    {"analysis": {"duration": "5s"}},
]


class Street:
    """A sandbox with the example in it, traffic through it, and its Rollout in reach."""

    def __init__(self, directory: Path) -> None:
        installed = [each for each in manifests() if each["kind"] != "Deployment"]
        self.sandbox = Sandbox(directory, manifests=installed)
        self._load: Load | None = None

    @property
    def rollout(self) -> JSON:
        return self.sandbox.store.get(*_where(REF)) or {}

    @property
    def status(self) -> JSON:
        return dict(self.rollout.get("status") or {})

    @property
    def weight(self) -> int:
        """What the canary Ingress says; 0 when there is none."""
        for each in self.sandbox.store.select(INGRESS, "default"):
            if MANAGED_BY_LABEL in (each["metadata"].get("labels") or {}):
                annotations = each["metadata"]["annotations"]
                return int(annotations["nginx.ingress.kubernetes.io/canary-weight"])
        return 0

    async def deploy(self, steps: list[JSON]) -> None:
        kinds = {"Service": SERVICE, "Ingress": INGRESS, "Rollout": ROLLOUT}
        for body in yaml.safe_load_all(EXAMPLE.read_text()):
            body["metadata"]["namespace"] = "default"
            if body["kind"] == "Rollout":
                body["spec"]["strategy"]["canary"] |= {
                    "steps": steps,
                    "scaleDownDelaySeconds": 3,
                    "abortScaleDownDelaySeconds": 3,
                }
            self.sandbox.store.create(kinds[body["kind"]], body)
        await self.until(lambda: self.status.get("phase") == "Healthy")

    def release(self, version: str, **environment: str) -> None:
        container = self.rollout["spec"]["template"]["spec"]["containers"][0]
        wanted = {"VERSION": version, **environment}
        container = {**container, "image": f"demo/checkout:{version}"}
        container["env"] = [{"name": name, "value": value} for name, value in wanted.items()]
        template = {"spec": {"containers": [container]}}
        self.sandbox.store.patch(*_where(REF), {"spec": {"template": template}})

    async def until(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        await until(condition, seconds, account=lambda: self.status.get("message"))

    def settled(self) -> bool:
        """Say whether the release is over, and only the stable revision has pods."""
        stable = (self.status.get("stableRevision") or {}).get("hash", "?")
        pods = self.sandbox.store.select(POD, "default")
        over = self.status["phase"] in ("Healthy", "Degraded") and not self.status["retiring"]
        return over and all(stable in pod["metadata"]["name"] for pod in pods)

    @asynccontextmanager
    async def traffic(self, rate: float = 50.0) -> AsyncIterator[Load]:
        load = Load(Target(self.sandbox.ingress_url, "checkout.example"), rate)
        task = asyncio.create_task(load.run())
        try:
            yield load
        finally:
            load.stop()
            await task


def _where(ref: Ref) -> tuple[Kind, str, str]:
    return ref.kind, ref.namespace, ref.name


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    made = Street(tmp_path / "sandbox")
    async with made.sandbox:
        yield made


def lost(report: LoadReport) -> dict[str, int]:
    return dict(report.lost_reasons)


async def test_a_four_step_canary_costs_at_most_thirty_writes_and_then_nothing(
    street: Street,
) -> None:
    await street.deploy(FOUR_STEPS)
    audit = street.sandbox.api.audit
    async with street.traffic(rate=100) as load:
        begin = len(audit)
        street.release("2.0", ERROR_RATE="0%")
        await street.until(lambda: street.status["stableRevision"]["number"] == 2)
        await street.until(street.settled)
    ours = [each for each in audit[begin:] if "rollouts:rollouts" in each.user]
    writes = Counter(
        (each.verb, each.resource, each.subresource) for each in ours if each.verb not in WATCHED
    )
    for (verb, resource, subresource), count in sorted(writes.items()):
        print(f"{count:4}  {verb:8}{resource}{'/' if subresource else ''}{subresource}")
    print(f"{writes.total():4}  in all")
    assert lost(load.report()) == {}
    assert load.report().failed == 0
    assert writes.total() <= 30
    assert [each for each in audit if each.status == 403] == []

    begin = len(audit)
    await asyncio.sleep(10)  # what does not happen has no condition to wait for
    assert [each for each in audit[begin:] if "rollouts:rollouts" in each.user] == []

    used = {(each.group, each.resource, each.verb) for each in audit if each.status < 400}
    allowed = {
        (group, resource, verb)
        for rule in CLUSTER_RULES
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if "/" not in resource
    }
    assert allowed - used <= {
        ("apps", "replicasets", "delete"),  # beyond revisionHistoryLimit
        ("", "events", "get"),  # to count up one that an earlier controller wrote
        ("", "events", "patch"),
        ("networking.k8s.io", "ingresses", "create"),  # an apply that creates is audited as patch
        ("rollouts.dev", "rollouts", "patch"),  # to give a bare command an id
    }


async def test_a_bad_release_is_rolled_back_by_the_successor_of_a_killed_controller(
    street: Street,
) -> None:
    await street.deploy(FOUR_STEPS)
    async with street.traffic() as load:
        street.release("2.0", ERROR_RATE="8%")
        await street.until(lambda: street.weight == 25)
        await street.sandbox.kill_controller()
        street.sandbox.api.faults.fail_writes("rollouts", count=3)  # 409s for the next one
        await street.sandbox.start_controller()
        await street.until(lambda: "abort" in street.status)
        await street.until(lambda: street.weight == 0)
        await street.until(street.settled)

    assert street.status["abort"]["by"] == "rollouts"
    assert "errors:" in street.status["abort"]["reason"]
    assert street.status["stableRevision"]["number"] == 1
    assert lost(load.report()) == {}


async def test_prometheus_that_is_away_is_neither_a_pass_nor_a_fail(street: Street) -> None:
    await street.deploy(FOUR_STEPS)
    async with street.traffic() as load:
        street.release("2.0", ERROR_RATE="0%")
        await street.until(lambda: street.weight == 25)
        await street.sandbox.stop_prometheus()
        await street.until(
            lambda: street.status.get("pause", {}).get("reason") == "MetricsUnavailable"
        )
        assert street.status["criteria"][0]["verdict"] == "error"
        assert street.weight == 25
        await street.sandbox.start_prometheus()
        await street.until(lambda: street.status["stableRevision"]["number"] == 2)
        await street.until(street.settled)

    assert lost(load.report()) == {}
    assert street.status["exposure"]["canaryFailures"] == 0


async def test_a_rollout_deleted_mid_canary_leaves_no_canary_route(street: Street) -> None:
    await street.deploy(FOUR_STEPS)
    street.release("2.0")
    await street.until(lambda: street.weight == 25)

    street.sandbox.store.delete(*_where(REF))

    await street.until(lambda: street.weight == 0)
    await street.until(lambda: not street.sandbox.store.select(POD, "default"))
    assert street.sandbox.store.get(SERVICE, "default", "checkout") is not None
    assert street.sandbox.store.get(SERVICE, "default", "checkout-canary") is None
