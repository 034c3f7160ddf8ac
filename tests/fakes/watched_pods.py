"""What the tests of reading and of writing through a `KubeCluster` share: a namespace with two pods."""

from collections.abc import AsyncIterator

from rollouts.kube.cluster import KubeCluster
from rollouts.kube.reflector import WatchTiming
from rollouts.model.kinds import POD, Ref
from tests.fakes.api_server import FakeApiServer
from tests.waiting import until

PODS = "/api/v1/pods"
A = "/api/v1/namespaces/shop/pods/a"
B = "/api/v1/namespaces/shop/pods/b"
QUICK = WatchTiming(
    first_delay_seconds=0.01, longest_delay_seconds=0.05, refused_delay_seconds=0.05
)


def pod(name: str) -> Ref:
    return Ref(POD, "shop", name)


async def started(cluster: KubeCluster, api: FakeApiServer) -> AsyncIterator[Ref]:
    """Start, and return the changes after those that tell what exists already."""
    await cluster.start()
    await until(lambda: api.watching)
    changes = cluster.changes()
    for _ in cluster.select(POD, ""):
        await anext(changes)
    return changes
