"""The chart on a real API server: each of its objects is taken, and Helm installs, upgrades and removes it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import yaml

from rollouts.controller.manifests import Installation, manifests
from rollouts.kube.paths import collection_path, object_path
from rollouts.model.crd import crd
from rollouts.model.kinds import CRD, JSON, ROLLOUT, FrozenJSON, Kind, Ref
from rollouts.sandbox.apiserver.builtins import NAMESPACE, SERVICE_ACCOUNT
from tests.chart import CHART, RELEASE, template
from tests.contract.api_server.wire import Wire
from tests.contract.conftest import BORROWED
from tests.fakes.kubernetes import rollout
from tests.helm.program import Done, helm
from tests.helm.values import choices

REAL = pytest.mark.parametrize("server", [pytest.param("real", marks=pytest.mark.control_plane)])
CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Namespace",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
NOT_SERVED = "monitoring.coreos.com/v1"
"""The kinds of the Prometheus operator, whose CRDs are not here."""
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
DEFINITION = object_path(Ref(CRD, "", ROLLOUT.crd_name))
TAKING_OVER = ("--take-ownership", "--force-conflicts")
Helm = Callable[..., "asyncio.Future[Done]"]


def kind_of(body: FrozenJSON) -> Kind:
    group, _, version = str(body["apiVersion"]).rpartition("/")
    name = str(body["kind"])
    plural = f"{name.lower()[:-1]}ies" if name.endswith("y") else f"{name.lower()}s"
    return Kind(group, version, plural, name, is_namespaced=name not in CLUSTER_WIDE)


def objects() -> Iterator[tuple[str, JSON]]:
    """Yield every object that some values make, once, with the name of these values."""
    seen = set[str]()
    for name, values in choices():
        done = template(values)
        assert done.code == 0, done.err
        for each in filter(None, yaml.safe_load_all(done.out)):
            if (text := json.dumps(each, sort_keys=True)) not in seen:
                seen.add(text)
                yield name, each


def older_chart(directory: Path) -> Path:
    """Return a chart whose CRD lacks a field of status."""
    made = directory / "older"
    shutil.copytree(CHART, made)
    definition, *others = yaml.safe_load_all((made / "files" / "crd.yaml").read_text())
    del status_fields(definition)["message"]
    (made / "files" / "crd.yaml").write_text(yaml.safe_dump_all([definition, *others]))
    return made


def status_fields(definition: JSON) -> JSON:
    (version,) = definition["spec"]["versions"]
    found: JSON = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    return found


async def served_status_fields(server: Wire) -> JSON:
    return status_fields((await server.get(DEFINITION)).body)


@pytest.fixture
async def clean(real_wire: Wire, tmp_path: Path) -> AsyncIterator[Wire]:
    """A server in which nobody else has installed anything, and in which nothing stays but the CRD."""
    if BORROWED:
        pytest.skip("nothing is installed in somebody's cluster")
    yield real_wire
    await asyncio.to_thread(
        helm,
        ["uninstall", RELEASE, "--namespace", real_wire.namespace, "--ignore-not-found"],
        tmp_path,
        real_wire.kubeconfig,
    )
    for each in manifests(Installation(name=RELEASE, namespace=real_wire.namespace)):
        if each["kind"] not in {"Namespace", CRD.name}:
            kind, metadata = kind_of(each), each["metadata"]
            await real_wire.delete(
                object_path(Ref(kind, metadata.get("namespace", ""), metadata["name"]))
            )


@pytest.fixture
def run(clean: Wire, tmp_path: Path) -> Helm:
    def begin(*arguments: str) -> "asyncio.Future[Done]":
        command = [*arguments, "--namespace", clean.namespace]
        return asyncio.ensure_future(asyncio.to_thread(helm, command, tmp_path, clean.kubeconfig))

    return begin


@REAL
async def test_every_object_of_any_values_is_taken(clean: Wire, server: str) -> None:
    for name in ("delivery", "shop", "pay"):
        await clean.post(collection_path(NAMESPACE), {"metadata": {"name": name}})
    made = await asyncio.to_thread(lambda: list(objects()))
    for account in {
        each["spec"]["serviceAccountName"] for _, each in made if each["kind"] == "Pod"
    }:
        path = collection_path(SERVICE_ACCOUNT, "delivery")
        await clean.post(path, {"metadata": {"name": account}})
    for name, each in made:
        if each["apiVersion"] == NOT_SERVED:
            continue
        metadata = each["metadata"]
        path = object_path(Ref(kind_of(each), metadata.get("namespace", ""), metadata["name"]))
        said = await clean.apply(path, each, dryRun="All", fieldValidation="Strict", force="true")
        assert said.status in (200, 201), f"{name}: {each['kind']}: {said.message}"
        assert not said.warnings, f"{name}: {each['kind']}: {said.warnings}"


@REAL
async def test_it_takes_over_what_plain_manifests_have_made(
    clean: Wire, run: Helm, server: str
) -> None:
    """As the README says it; without its two options Helm leaves alone what somebody else has made."""
    for each in manifests(Installation(name=RELEASE, namespace=clean.namespace)):
        if each["kind"] != "Namespace":
            kind = kind_of(each)
            path = collection_path(kind, each["metadata"].get("namespace", ""))
            await clean.post(path, each, fieldManager="kubectl-client-side-apply")
    refused = await run("install", RELEASE, str(CHART))
    assert refused.code == 1
    assert "ownership" in refused.err
    await run("uninstall", RELEASE, "--ignore-not-found")
    taken = await run("install", RELEASE, str(CHART), "--take-ownership")
    assert taken.code == 0, taken.err
    found = await clean.get(clean.of(DEPLOYMENT, RELEASE))
    assert found.body["metadata"]["annotations"]["meta.helm.sh/release-name"] == RELEASE


@REAL
async def test_an_upgrade_brings_the_crd_and_an_uninstall_leaves_every_rollout(
    clean: Wire, run: Helm, tmp_path: Path, server: str
) -> None:
    installed = await run("install", RELEASE, str(older_chart(tmp_path)), *TAKING_OVER)
    assert installed.code == 0, installed.err
    assert f"deployment/{RELEASE}" in installed.out, "the notes say where to look"
    assert "message" not in await served_status_fields(clean)

    upgraded = await run("upgrade", RELEASE, str(CHART), "--set", "replicas=3")
    assert upgraded.code == 0, upgraded.err
    assert set(await served_status_fields(clean)) == set(status_fields(crd()))
    deployment = await clean.get(clean.of(DEPLOYMENT, RELEASE))
    assert deployment.body["spec"]["replicas"] == 3

    body = rollout([{"setWeight": 5}])
    body["metadata"] = {"name": "web"}
    made = await clean.post(clean.of(ROLLOUT), body)
    assert made.status == 201, made.message
    removed = await run("uninstall", RELEASE)
    assert removed.code == 0, removed.err
    assert (await clean.get(clean.of(DEPLOYMENT, RELEASE))).status == 404
    assert (await clean.get(clean.of(ROLLOUT, "web"))).status == 200
    again = await run("install", RELEASE, str(CHART))
    assert again.code == 0, again.err


@REAL
async def test_the_same_values_again_change_nothing(clean: Wire, run: Helm, server: str) -> None:
    """Helm 4 applies on the server, where a field that somebody else has written would be a conflict."""
    assert (await run("install", RELEASE, str(CHART), *TAKING_OVER)).code == 0
    before = await clean.get(clean.of(DEPLOYMENT, RELEASE))
    again = await run("upgrade", RELEASE, str(CHART))
    assert again.code == 0, again.err
    after = await clean.get(clean.of(DEPLOYMENT, RELEASE))
    assert after.body["metadata"]["generation"] == before.body["metadata"]["generation"]
