"""The controller as it is wired, against an API server that enforces its permissions."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from rollouts.bootstrap import LOST_LEADERSHIP, STOPPED, controller, prometheus
from rollouts.controller.manifests import without_controller
from rollouts.controller.settings import ControllerSettings
from rollouts.core.template import template_hash
from rollouts.errors import UsageError
from rollouts.kube.lease import LEASE
from rollouts.model.crd import crd
from rollouts.model.kinds import CRD, REPLICA_SET, ROLLOUT
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.credentials import Credentials, write_kubeconfig
from tests.fakes.kubernetes import ingress, rollout, service
from tests.waiting import answer, until


class Cluster:
    """An API server with the manifests in it, and controllers that come with their token only."""

    def __init__(self, directory: Path) -> None:
        installed = without_controller()
        credentials = Credentials(installed)
        self.store = Store()
        self.api = ApiServer(self.store, tokens=credentials.tokens)
        self.user = credentials.controller_user
        self.kubeconfig = directory / "kubeconfig"
        self._token = credentials.controller_token
        self._installed = installed

    async def start(self) -> None:
        await self.api.start()
        write_kubeconfig(self.kubeconfig, self.api.url, self._token)
        async with aiohttp.ClientSession() as session:
            for each in [*self._installed, *self._manifests()]:
                async with session.post(self.api.url + path_of(each), json=each) as response:
                    assert response.status in (201, 409), await response.text()

    def _manifests(self) -> list[dict[str, object]]:
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
            {"apiVersion": "v1", "kind": "Service", **service()},
            {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **ingress()},
            rollout([{"setWeight": 50}]),
        ]

    def refused(self) -> list[object]:
        return [each for each in self.api.audit if each.user == self.user and each.status == 403]

    def replica_sets(self) -> int:
        return len(self.store.select(REPLICA_SET, "shop"))

    async def until(self, condition: Callable[[], object]) -> None:
        await until(condition, 15)


def path_of(body: dict[str, object]) -> str:
    kinds = {
        "Namespace": "/api/v1/namespaces",
        "Service": "/api/v1/namespaces/shop/services",
        "ServiceAccount": "/api/v1/namespaces/rollouts/serviceaccounts",
        "Ingress": "/apis/networking.k8s.io/v1/namespaces/shop/ingresses",
        "Rollout": "/apis/rollouts.dev/v1alpha1/namespaces/shop/rollouts",
        "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/rollouts/roles",
        "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/rollouts/rolebindings",
    }
    return kinds[str(body["kind"])]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    await made.start()
    yield made
    await made.api.stop()


@pytest.fixture
def settings(cluster: Cluster, unused_tcp_port: int) -> ControllerSettings:
    return ControllerSettings(
        kubeconfig=cluster.kubeconfig,
        address="127.0.0.1",
        port=unused_tcp_port,
        lease_namespace="rollouts",
    )


@asynccontextmanager
async def running(settings: ControllerSettings) -> AsyncIterator[asyncio.Task[int]]:
    stop = asyncio.Event()
    task = asyncio.create_task(controller(settings, stop))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await task


async def test_it_works_with_exactly_the_permissions_of_the_manifests(
    cluster: Cluster, settings: ControllerSettings
) -> None:
    async with running(replace(settings, leader_elect=True)) as task:
        await cluster.until(lambda: cluster.replica_sets() == 1)
        url = f"http://127.0.0.1:{settings.port}"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/readyz") as response:
                assert response.status == 200
            async with session.get(f"{url}/metrics") as response:
                assert "rollouts_is_leader 1.0" in await response.text()

    assert task.result() == STOPPED
    assert cluster.refused() == []
    lease = cluster.store.get(LEASE, "rollouts", "rollouts-controller")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""


async def test_of_two_controllers_one_works(
    cluster: Cluster, settings: ControllerSettings, unused_tcp_port_factory: Callable[[], int]
) -> None:
    leader = replace(settings, leader_elect=True)
    standby = replace(leader, port=unused_tcp_port_factory())
    async with running(leader) as first:
        await cluster.until(lambda: cluster.replica_sets() == 1)
        async with running(standby):
            cluster.store.patch(
                LEASE, "rollouts", "rollouts-controller", {"spec": {"holderIdentity": "another"}}
            )
            await cluster.until(first.done)

    assert first.result() == LOST_LEADERSHIP


async def test_a_replica_set_of_somebody_else_is_named_and_not_fought_over(
    cluster: Cluster, settings: ControllerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the name that ours needs, but not the label by which the caches know ours."""
    monkeypatch.setattr("rollouts.kube.cluster.UNSEEN_SECONDS", 0.2)
    wanted = rollout([{"setWeight": 50}])
    name = f"checkout-{template_hash(wanted['spec']['template'])}"
    body = {"metadata": {"namespace": "shop", "name": name}, "spec": wanted["spec"]}
    cluster.store.create(REPLICA_SET, body)

    def message() -> str:
        found = cluster.store.get(ROLLOUT, "shop", "checkout") or {}
        return str((found.get("status") or {}).get("message"))

    async with running(settings):
        await cluster.until(lambda: f"{name} exists already" in message())

    creates = [each for each in cluster.api.audit if (each.verb, each.status) == ("create", 409)]
    assert 1 < len(creates) < 8


def define(store: Store, *without: str) -> None:
    """Bring our definition up to date, but for these fields of status."""
    versions = crd()["spec"]["versions"]
    (schema,) = (each["schema"]["openAPIV3Schema"] for each in versions)
    for name in without:
        del schema["properties"]["status"]["properties"][name]
    store.patch(CRD, "", ROLLOUT.crd_name, {"spec": {"versions": versions}})


async def test_it_is_not_ready_while_its_crd_drops_what_it_remembers(
    cluster: Cluster, settings: ControllerSettings
) -> None:
    define(cluster.store, "drainUntil", "abort")
    url = f"http://127.0.0.1:{settings.port}/readyz"
    async with running(settings), aiohttp.ClientSession() as session:

        async def says(words: str) -> str:
            with suppress(aiohttp.ClientConnectionError):
                async with session.get(url) as response:
                    said = await response.text()
                    return said if words in said else ""
            return ""

        said = await answer(lambda: says("the CRD rollouts.rollouts.dev is older"))
        assert "lacks status.drainUntil, status.abort, so" in said
        define(cluster.store)
        await answer(lambda: says("ok\n"))


async def test_a_port_that_is_taken_is_a_mistake_of_the_user(
    cluster: Cluster, settings: ControllerSettings
) -> None:
    async with running(settings):
        await cluster.until(lambda: cluster.replica_sets() == 1)
        with pytest.raises(UsageError, match="can't listen"):
            await controller(settings, asyncio.Event())


async def test_a_missing_kubeconfig_is_a_mistake_of_the_user(settings: ControllerSettings) -> None:
    missing = replace(settings, kubeconfig=Path("/nowhere/kubeconfig"))

    with pytest.raises(UsageError, match="no kubeconfig"):
        await controller(missing, asyncio.Event())


def test_a_token_that_cannot_be_read_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    settings = ControllerSettings(
        prometheus_url="http://x", prometheus_token_file=tmp_path / "absent"
    )

    with pytest.raises(UsageError, match="token"):
        prometheus(settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prometheus_username": "shop"}, "go together"),
        ({"prometheus_password_file": "there"}, "go together"),
        ({"prometheus_key_file": "there"}, "goes with --prometheus-cert-file"),
        ({"prometheus_cert_file": "absent"}, "--prometheus-cert-file: .*absent can't be read"),
        ({"prometheus_ca_file": "absent"}, "--prometheus-ca-file: .*absent can't be read"),
        (
            {"prometheus_ca_file": "there", "prometheus_insecure_skip_verify": True},
            "give one of them",
        ),
        (
            {
                "prometheus_username": "shop",
                "prometheus_password_file": "there",
                "prometheus_token_file": "there",
            },
            "give one of them",
        ),
        ({"prometheus_url": "prometheus:9090"}, "the URL of Prometheus has to be"),
    ],
)
def test_settings_of_prometheus_that_do_not_go_together_are_refused(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    (tmp_path / "there").write_text("x")
    values = {
        name: tmp_path / str(value) if name.endswith("_file") else value
        for name, value in changes.items()
    }
    settings = replace(ControllerSettings(prometheus_url="http://x"), **values)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=words):
        prometheus(settings)


async def test_the_url_of_a_webhook_is_a_secret_in_a_file(
    cluster: Cluster, settings: ControllerSettings, tmp_path: Path
) -> None:
    told = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        if request.path == "/hooks/sesame":
            told.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    async with TestServer(app) as receiver:
        file = tmp_path / "url"
        file.write_text(f"{receiver.make_url('/hooks/sesame')}\n")
        async with running(replace(settings, notify_webhook_file=file)):
            await cluster.until(lambda: cluster.replica_sets() == 1)
            async with asyncio.timeout(30):
                await told.wait()


@pytest.mark.parametrize(
    ("text", "inline", "words"),
    [
        (None, "", "can't be read"),
        ("", "", "holds no URL"),
        ("hooks.example/x", "", "holds no URL"),
        ("http://a http://b", "", "holds no URL"),
        ("http://a", "http://b", "give one of them"),
    ],
)
async def test_a_file_without_one_url_is_a_mistake_of_the_user(
    settings: ControllerSettings, tmp_path: Path, text: str | None, inline: str, words: str
) -> None:
    file = tmp_path / "url"
    if text is not None:
        file.write_text(text)
    wrong = replace(settings, notify_webhook_file=file, notify_webhook=inline)
    with pytest.raises(UsageError, match=words):
        await controller(wrong, asyncio.Event())


def test_settings_do_not_show_what_may_be_secret() -> None:
    url = "http://shop:sesame@prometheus"
    settings = ControllerSettings(
        prometheus_url=url, prometheus_headers={"X": "sesame"}, notify_webhook=f"{url}/sesame"
    )
    assert "sesame" not in repr(settings)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_failure_is_logged_without_the_variables_that_it_went_through(log_format: str) -> None:
    """They hold the tokens of requests' headers."""
    code = f"""if True:
        import structlog
        from rollouts.bootstrap import configure_logging
        from rollouts.controller.settings import ControllerSettings
        configure_logging(ControllerSettings(log_format={log_format!r}))
        def fail(headers):
            raise ValueError("something went wrong")
        try:
            fail({{"Authorization": "Bearer " + "ses" + "ame"}})
        except ValueError:
            structlog.get_logger("x").exception("look failed")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert "something went wrong" in done.stderr
    assert "look failed" in done.stderr
    assert "sesame" not in done.stderr


@pytest.mark.parametrize("named", ["rollouts.bootstrap", "rollouts.cli.main"])
def test_naming_the_wiring_or_the_verbs_costs_nothing(named: str) -> None:
    heavy = ["aiohttp", "httpx", "kubernetes", "prometheus_api_client", "pydantic", "rich"]
    heavy += ["structlog", "yaml"]
    code = f"import sys, json, {named}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert not set(heavy) & set(json.loads(done.stdout))
