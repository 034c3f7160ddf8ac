"""The originals of the custom kinds, put in the place of the sandbox's own."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from rollouts.model.kinds import CRD
from rollouts.sandbox.crds import definitions
from tests.sandbox.dataplane.test_gateway import backend, conditions, rule, two_services

if TYPE_CHECKING:
    from tests.sandbox.dataplane.conftest import Edge, Until

pytestmark = pytest.mark.sandbox
UPSTREAM = Path(__file__).parents[4] / "shared" / "upstream-crds"


@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="the originals are not here")
async def test_routes_and_splits_of_the_originals_are_served(edge: "Edge", until: "Until") -> None:
    await two_services(edge)
    edge.service("web")
    running = asyncio.create_task(edge.configurator.run())
    await edge.configurator.apply()
    originals = [
        document
        for name in ("gateway-api-*.yaml", "smi-*-v1alpha1-v1alpha2.yaml")
        for path in sorted(UPSTREAM.glob(name))
        for document in yaml.safe_load_all(path.read_text())
        if document
    ]
    names = {each["metadata"]["name"] for each in originals}
    for each in definitions():
        if each["metadata"]["name"] in names:
            edge.store.delete(CRD, "", each["metadata"]["name"])
    for each in originals:
        edge.store.create(CRD, each)
    edge.route("web", rule(backend("web")))
    edge.split("v1alpha1", "web", {"v1": "0", "v2": "1000m"})
    async with asyncio.timeout(5):
        while await edge.version() != "v2":
            pass
    await until(lambda: conditions(edge, "web") == {"Accepted": "True", "ResolvedRefs": "True"})
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
