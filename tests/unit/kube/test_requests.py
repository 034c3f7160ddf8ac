import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from rollouts.errors import NotFound, Unavailable, UsageError
from rollouts.kube import requests
from rollouts.kube.requests import KubeRequests
from rollouts.model.kinds import POD, Ref
from tests.fakes.api_server import FakeApiServer
from tests.waiting import until

A = "/api/v1/namespaces/shop/pods/a"
POD_A = Ref(POD, "shop", "a")


@pytest.fixture
async def kube(api: FakeApiServer, tmp_path: Path) -> AsyncIterator[KubeRequests]:
    api.served.add("/api/v1/namespaces/shop/pods")
    async with KubeRequests(api.kubeconfig(tmp_path)) as made:
        yield made


async def test_single_requests(api: FakeApiServer, kube: KubeRequests) -> None:
    with pytest.raises(NotFound):
        await kube.get(POD_A)
    await kube.create(POD, {"metadata": {"name": "a", "namespace": "shop"}})
    await kube.patch(POD_A, {"spec": {"x": 1}})
    assert (await kube.get(POD_A))["spec"] == {"x": 1}
    assert [pod["kind"] for pod in await kube.select(POD, "shop", {"app": "x", "b": "y"})] == [
        "Pod"
    ]
    assert api.queries[-1]["labelSelector"] == "app=x,b=y"
    await kube.delete(POD_A)
    assert not api.objects
    assert kube.namespace == "default"


async def test_watching_one_object_tells_its_state_and_goes_on_over_cuts(
    api: FakeApiServer, kube: KubeRequests
) -> None:
    async with aclosing(kube.watch(POD_A)) as states:
        assert await anext(states) is None
        api.put(A, {"spec": {"x": 1}})
        seen = await anext(states)
        assert seen is not None
        assert seen["spec"] == {"x": 1}
        assert api.queries[-1]["fieldSelector"] == "metadata.name=a"
        api.drop(A)
        assert await anext(states) is None


async def test_watching_starts_anew_when_its_version_is_forgotten(
    api: FakeApiServer, kube: KubeRequests
) -> None:
    async with aclosing(kube.watch(POD_A)) as states:
        await anext(states)
        api.put(A, {"spec": {"x": 1}})
        api.forget_history()
        seen = await anext(states)
        assert seen is not None
        assert seen["spec"] == {"x": 1}


async def test_watching_looks_again_when_the_api_server_is_silent(
    kube: KubeRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one is that came back from a backup, and has not reached the version that is watched from."""
    monkeypatch.setattr(requests, "SILENT_SECONDS", 0.1)
    async with aclosing(kube.watch(POD_A)) as states:
        assert await anext(states) is None
        assert await anext(states) is None


async def test_a_cut_while_watching_is_told(api: FakeApiServer, kube: KubeRequests) -> None:
    async with aclosing(kube.watch(POD_A)) as states:
        await anext(states)

        async def cut_when_watching() -> None:
            await until(lambda: api.watching)
            api.cut()

        cutting = asyncio.create_task(cut_when_watching())
        with pytest.raises(Unavailable):
            await anext(states)
        await cutting


async def test_a_missing_or_broken_kubeconfig_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no kubeconfig at"):
        await KubeRequests(tmp_path / "absent").get(POD_A)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}:{tmp_path / 'neither'}")
    with pytest.raises(UsageError, match="which KUBECONFIG names"):
        await KubeRequests().get(POD_A)
    broken = tmp_path / "broken"
    broken.write_text("clusters: {}\n")
    with pytest.raises(UsageError, match="broken"):
        await KubeRequests(broken).get(POD_A)


async def test_a_context_that_does_not_exist_is_wrong_usage(
    api: FakeApiServer, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        await KubeRequests(api.kubeconfig(tmp_path), "nowhere").get(POD_A)


async def test_without_kubeconfig_and_outside_of_a_pod_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match="service account"):
        await KubeRequests().get(POD_A)


def test_naming_the_package_imports_no_client() -> None:
    program = "import sys, rollouts.kube; sys.exit('kubernetes' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
