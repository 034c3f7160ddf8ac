"""
What happens to a Rollout while its controller is killed: one story for each way of releasing.

A story can be told again and again in one namespace: each time a newer version is released, or the
Deployment is adopted and given back once more.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rollouts.model.kinds import AUTOSCALER, DEPLOYMENT, JSON, ROLLOUT, SERVICE
from rollouts.sandbox.load import Load
from tests.sandbox.releases import manifests, routed, switching, test_adoption
from tests.sandbox.releases.release import Release
from tests.waiting import served

STEPS: list[JSON] = [{"setWeight": 25}, routed.QUICK, {"setWeight": 50}, routed.QUICK]
BRIEF_STEPS: list[JSON] = [{"setWeight": 50}, routed.QUICK]
ONE_OLD: JSON = {"revisionHistoryLimit": 1}
"""So that each release but the first leaves as many ReplicaSets as the one before."""
FEWEST, MOST = 2, 3
BAD = "bad-"
"""What the name of a version begins with that is to fail."""


@dataclass(frozen=True, slots=True)
class Story:
    """How it begins, and what then happens; `by_gateway` says where its users come in."""

    name: str
    opens: Callable[[Release], Awaitable[None]]
    happens: Callable[[Release, Load, int], Awaitable[None]]
    """Takes how often it has happened before; returns when it is over."""
    by_gateway: bool = False

    def url(self, release: Release) -> str:
        """Return where users come in."""
        sandbox = release.sandbox
        return sandbox.gateway_url if self.by_gateway else sandbox.ingress_url


def version_of(number: int) -> str:
    """Return the version that is released when the story is told for the n-th time, from 0."""
    return str(number + 2)


# Canaries.


async def by_nginx(release: Release) -> None:
    body = routed.rollout(release, routed.NGINX, STEPS, **ONE_OLD)
    await routed.deploys(release, body, routed.ingress(release))


async def by_smi(release: Release) -> None:
    body = routed.rollout(release, routed.SMI, STEPS, **ONE_OLD)
    await routed.deploys(release, body, routed.ingress(release))


async def by_gateway_api(release: Release) -> None:
    routing: JSON = {"gatewayAPI": {"httpRoutes": [manifests.NAME], "grpcRoutes": [manifests.NAME]}}
    body = routed.rollout(release, routing, STEPS, **ONE_OLD)
    await routed.deploys(release, body, routed.http_route(release), routed.grpc_route(release))


async def by_two_routers(release: Release) -> None:
    body = routed.rollout(release, {**routed.NGINX, **routed.HTTP}, STEPS, **ONE_OLD)
    await routed.deploys(release, body, routed.ingress(release), routed.http_route(release))


async def by_replicas(release: Release) -> None:
    strategy = switching.by_replicas(50, pause=routed.QUICK["pause"])
    await switching.deploys(release, strategy, **ONE_OLD)


async def is_released(release: Release, _load: Load, number: int) -> None:
    switching.updates_to(release, version_of(number))
    await is_over(release, version_of(number))


async def is_over(release: Release, version: str) -> None:
    """Wait until the version is stable and alone."""
    image = manifests.container(version)["image"]
    await release.until(
        lambda: (release.status.get("stableRevision") or {}).get("images") == [image],
        f"{image} stable",
    )
    await release.is_over()
    await release.is_healthy()


# What else may happen.


async def blue_green(release: Release) -> None:
    strategy = switching.blue_green(
        prePromotionAnalysis={"duration": "1s"}, postPromotionAnalysis={"duration": "1s"}
    )
    await switching.deploys(release, strategy, **ONE_OLD)


async def autoscaled(release: Release) -> None:
    await by_nginx(release)
    target = {"apiVersion": ROLLOUT.api_version, "kind": ROLLOUT.name, "name": manifests.NAME}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    spec = {
        "scaleTargetRef": target,
        "minReplicas": FEWEST,
        "maxReplicas": FEWEST,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    metadata = manifests.metadata(release.namespace)
    release.create(AUTOSCALER, {"metadata": metadata, "spec": spec})


async def is_released_while_it_grows(release: Release, load: Load, number: int) -> None:
    """The autoscaler makes it larger in the middle, and it is made smaller again at the end."""
    switching.updates_to(release, version_of(number))
    await release.until(lambda: release.status["weights"]["desired"] == 50, "the second step")
    resized(release, MOST)
    await is_over(release, version_of(number))
    await release.until(lambda: release.rollout["spec"]["replicas"] == MOST, "more pods")
    resized(release, FEWEST)
    await release.until(lambda: release.rollout["spec"]["replicas"] == FEWEST, "fewer pods")
    await release.until(lambda: release.status["readyReplicas"] == FEWEST, "that is counted")
    await release.is_healthy()


def resized(release: Release, replicas: int) -> None:
    release.edits(
        AUTOSCALER, manifests.NAME, {"spec": {"minReplicas": replicas, "maxReplicas": replicas}}
    )


async def is_rolled_back_and_mended(release: Release, _load: Load, number: int) -> None:
    """A bad version is found out by its criteria; the good one after it is promoted."""
    switching.updates_to(release, f"{BAD}{version_of(number)}", ERROR_RATE="40%")
    await release.is_rolled_back()
    await is_released(release, _load, number)


async def is_superseded(release: Release, load: Load, number: int) -> None:
    """A newer template comes while users meet the one before it."""
    switching.updates_to(release, f"{version_of(number)}-early")
    await release.until(lambda: release.status["weights"]["applied"] == 25, "25 %")
    switching.updates_to(release, version_of(number))
    await is_over(release, version_of(number))


async def a_deployment(release: Release) -> None:
    release.create(SERVICE, manifests.service(release.namespace))
    release.create(*routed.ingress(release))
    release.create(DEPLOYMENT, test_adoption.deployment(release.namespace))
    await release.until(
        lambda: (
            test_adoption.workload(release)["status"].get("availableReplicas")
            == test_adoption.REPLICAS
        ),
        "the Deployment's pods",
    )
    await served(release.sandbox.ingress_url, release.host)


async def is_adopted_and_given_back(release: Release, load: Load, _number: int) -> None:
    strategy = manifests.strategy(BRIEF_STEPS)
    before = release.selects(manifests.STABLE)
    rollout = test_adoption.adopting(release.namespace, strategy, revertOnDeletion=True)
    release.create(ROLLOUT, rollout)
    await release.until(
        lambda: test_adoption.workload(release)["spec"]["replicas"] == 0, "the Deployment at 0"
    )
    await release.is_healthy()
    await release.serves(load, 5)
    release.removes(ROLLOUT, manifests.NAME)
    await test_adoption.is_as_before(release, before, "demo/web:1")


CANARY = Story("canary by ingress-nginx", by_nginx, is_released)
BLUE_GREEN = Story("blue-green switch", blue_green, is_released)
STORIES = (
    CANARY,
    Story("canary by SMI", by_smi, is_released),
    Story("canary by the Gateway API", by_gateway_api, is_released, by_gateway=True),
    Story("canary by ingress-nginx and the Gateway API", by_two_routers, is_released),
    Story("canary by replicas", by_replicas, is_released),
    BLUE_GREEN,
    Story("adoption and its way back", a_deployment, is_adopted_and_given_back),
    Story("promotion under an autoscaler", autoscaled, is_released_while_it_grows),
    Story("canary rolled back, and the next promoted", by_nginx, is_rolled_back_and_mended),
    Story("template superseded in the middle", by_nginx, is_superseded),
)
