"""What a sandbox asks of whatever serves its routes."""

from typing import Protocol

from rollouts.sandbox.processes import Process
from rollouts.sandbox.prometheus import Job


class DataPlane(Protocol):
    """Serves a cluster's Ingresses at `url` and its Gateways at `gateway_url`, from `start` to `stop`."""

    name: str
    """As which its process is known."""
    url: str
    gateway_url: str
    job: Job
    """What Prometheus scrapes: one target, whose page is at /metrics."""

    async def start(self) -> Process:
        """Return its process when everything answers; raises Permanent or Unavailable."""
        ...

    async def stop(self) -> None:
        """Stop all of it."""
        ...
