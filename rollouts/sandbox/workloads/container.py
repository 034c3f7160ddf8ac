"""One container of a pod: its process, started again when it ends, probed, and at last stopped."""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import structlog

from rollouts.backoff import Backoff
from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.builtins import CONFIG_MAP, SECRET
from rollouts.sandbox.apiserver.etcd import utc_now
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.cluster import Cluster
from rollouts.sandbox.forks import DemoApps
from rollouts.sandbox.network import PodNetwork
from rollouts.sandbox.processes import Process, Processes
from rollouts.sandbox.workloads.launch import (
    DEMO_APP,
    ConfigError,
    Launch,
    decoded,
    is_missing,
    launch,
)
from rollouts.sandbox.workloads.pod_status import ContainerState, waiting
from rollouts.sandbox.workloads.probes import ProbeResult, Rhythm, Target, ask, carry_out, findings
from rollouts.sandbox.workloads.recorder import Recorder

_LEAST_GRACE_SECONDS = 2.0  # what is left for SIGTERM when a preStop hook took it all
_EXIT_ON_START_ERROR = 128
_log = structlog.get_logger(__name__)


RESTART = Backoff(first_seconds=1.0, longest_seconds=30.0, jitter=0)
"""
How long a container that ended waits to be started again, after the first time, when it does not.

A run of ten times the next wait makes the next end a first time again.
"""


Logs = dict[tuple[str, str, str], Path]
"""(namespace, pod, container) → the file with its output."""


@dataclass(frozen=True, slots=True)
class PodRuntime:
    """What a node lends its pods; `logs` is where theirs are found."""

    cluster: Cluster
    network: PodNetwork
    logs: Logs
    processes: Processes
    demo_apps: DemoApps
    events: Recorder
    http: aiohttp.ClientSession
    backoff: Backoff


class Container:
    """
    Runs until it is terminated, or has ended for good by its pod's restartPolicy.

    `state` is what the pod's status says of it; `changed` is called after each change of it.
    """

    def __init__(
        self, runtime: PodRuntime, pod: FrozenJSON, spec: FrozenJSON, changed: Callable[[], None]
    ) -> None:
        self.state = ContainerState(spec["name"], spec["image"])
        self._runtime = runtime
        self._pod = pod
        self._spec = spec
        self._changed = changed
        self._retired = asyncio.Event()
        self._process: Process | None = None
        self._crashes = 0

    # -- life -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run, and run again, until there is no more reason to."""
        await self._pull()
        while not self._retired.is_set():
            began = asyncio.get_running_loop().time()
            status = await self._run_once()
            if self._retired.is_set() or not self._is_to_restart(status):
                return
            await self._wait_before_restart(asyncio.get_running_loop().time() - began)

    async def terminate(self, grace_seconds: float) -> None:
        """Never start again; stop what runs: hook, SIGTERM, and SIGKILL when the grace is over."""
        self._retired.set()
        if self._process is not None:
            self._event("Killing", f"Stopping container {self.state.name}")
            await self._end(self._process, grace_seconds)

    async def _pull(self) -> None:
        image = self.state.image
        if not is_missing(image):
            self._event("Pulled", f'Container image "{image}" already present on machine')
            return
        message = f'Back-off pulling image "{image}"'
        self._set(waiting("ImagePullBackOff", message))
        self._event("Failed", f'Failed to pull image "{image}": not found', warning=True)
        self._event("BackOff", message)
        await self._retired.wait()

    async def _run_once(self) -> int:
        """Start the process and return its exit status when it has ended."""
        began = utc_now()
        try:
            process = await self._start(self._launch())
        except ConfigError as error:
            self._set(waiting("CreateContainerConfigError", str(error)))
            self._event("Failed", f"Error: {error}", warning=True)
            return _EXIT_ON_START_ERROR
        except OSError as error:
            self._event("Failed", f"Error: {error}", warning=True)
            self._set(_ended(_EXIT_ON_START_ERROR, "StartError", began, utc_now()))
            return _EXIT_ON_START_ERROR
        try:
            status = await self._live(process)
        finally:
            self._process = None
        return status

    async def _start(self, what: Launch) -> Process:
        meta = self._pod["metadata"]
        name = f"pods/{meta['namespace']}_{meta['name']}_{self.state.name}"
        if what.argv == list(DEMO_APP):
            process = await self._runtime.demo_apps.start(name, what.env)
        else:
            process = await self._runtime.processes.start(name, what.argv, what.env)
        key = (meta["namespace"], meta["name"], self.state.name)
        self._runtime.logs[key] = process.log
        return process

    async def _live(self, process: Process) -> int:
        """Probe the process while it runs; return its exit status."""
        self._process = process
        began = utc_now()
        self._event("Started", f"Container {self.state.name} started")
        self.state.container_id = f"process://{process.pid}"
        self.state.started = "startupProbe" not in self._spec
        self.state.ready = self.state.started and "readinessProbe" not in self._spec
        self._set({"running": {"startedAt": timestamp(began)}})
        probing = asyncio.create_task(self._probe(process), name=f"probe {process.name}")
        try:
            if self._retired.is_set():
                await process.stop(0)
            status = await process.wait()
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
            if process.returncode is None:
                await self._runtime.processes.stop(process, 0)
        self.state.started = self.state.ready = False
        code = status if status >= 0 else 128 - status
        self._set(_ended(code, "Error" if code else "Completed", began, utc_now()))
        return code

    def _is_to_restart(self, status: int) -> bool:
        policy = self._pod["spec"].get("restartPolicy", "Always")
        return policy == "Always" or (policy == "OnFailure" and status != 0)

    async def _wait_before_restart(self, ran_seconds: float) -> None:
        delay = self._next_delay(ran_seconds)
        ended = self.state.state if "terminated" in self.state.state else None
        if ended is not None:
            self.state.last_state = ended
        elif not delay:  # it could not even be made: nothing has changed at once
            delay = self._next_delay(0)
        if ended is not None and delay:
            name, pod = self.state.name, self._pod["metadata"]["name"]
            message = f"back-off {delay:g}s restarting failed container={name} pod={pod}"
            self._set(waiting("CrashLoopBackOff", message))
            self._event(
                "BackOff", f"Back-off restarting failed container {name} in pod {pod}", warning=True
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._retired.wait()
        self.state.restarts += not self._retired.is_set() and ended is not None

    def _next_delay(self, ran_seconds: float) -> float:
        """Return how long to wait now, and count this end."""
        delay = self._runtime.backoff.delay(self._crashes) if self._crashes else 0.0
        if ran_seconds >= 10 * delay:
            self._crashes, delay = 0, 0.0
        self._crashes += 1
        return delay

    # -- the end --------------------------------------------------------------------------------

    async def _end(self, process: Process, grace_seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + grace_seconds
        hook = (self._spec.get("lifecycle") or {}).get("preStop")
        if hook and grace_seconds > 0:
            await self._pre_stop(process, hook, grace_seconds)
            left = max(deadline - clock(), _LEAST_GRACE_SECONDS)
        else:
            left = grace_seconds
        await self._runtime.processes.stop(process, left)

    async def _pre_stop(self, process: Process, hook: FrozenJSON, longest: float) -> None:
        """Carry out the hook; the process may end meanwhile."""
        if "sleep" in hook:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(hook["sleep"].get("seconds") or 0, longest)):
                    await process.wait()
            return
        failure = await carry_out(hook, self._target(), longest)
        if failure:
            self._event("FailedPreStopHook", f"PreStopHook failed: {failure}", warning=True)

    # -- probes ---------------------------------------------------------------------------------

    async def _probe(self, process: Process) -> None:
        """Follow every probe until the process ends (and this is cancelled)."""
        try:
            if "startupProbe" in self._spec:
                await self._follow_startup(process)
            async with asyncio.TaskGroup() as group:
                if "readinessProbe" in self._spec:
                    group.create_task(self._follow_readiness())
                if "livenessProbe" in self._spec:
                    group.create_task(self._follow_liveness(process))
        except Exception as error:  # noqa: BLE001 -- a probe that breaks leaves the pod as it is
            _log.error("probing failed", container=process.name, exc_info=error)

    async def _follow_startup(self, process: Process) -> None:
        probe = self._spec["startupProbe"]
        async for finding in findings(Rhythm.of(probe, eager=True), lambda: self._ask(probe)):
            if finding.passed:
                self.state.started = True
                self.state.ready = "readinessProbe" not in self._spec
                self._changed()
                return
            self._unhealthy("Startup", finding)
            if finding.settled:
                await self._replace(process, probe, "startup")

    async def _follow_readiness(self) -> None:
        probe = self._spec["readinessProbe"]
        async for finding in findings(Rhythm.of(probe, eager=True), lambda: self._ask(probe)):
            if not finding.passed:
                self._unhealthy("Readiness", finding)
            if finding.settled and self.state.ready != finding.passed:
                self.state.ready = finding.passed
                self._changed()

    async def _follow_liveness(self, process: Process) -> None:
        probe = self._spec["livenessProbe"]
        async for finding in findings(Rhythm.of(probe, eager=False), lambda: self._ask(probe)):
            if finding.passed:
                continue
            self._unhealthy("Liveness", finding)
            if finding.settled:
                await self._replace(process, probe, "liveness")

    async def _replace(self, process: Process, probe: FrozenJSON, which: str) -> None:
        """End the process, so that it is started again."""
        if self._retired.is_set():
            return
        name = self.state.name
        self._event("Killing", f"Container {name} failed {which} probe, will be restarted")
        grace = probe.get("terminationGracePeriodSeconds")
        if grace is None:
            grace = self._pod["spec"].get("terminationGracePeriodSeconds", 30)
        await self._end(process, grace)

    async def _ask(self, probe: FrozenJSON) -> str:
        return await ask(probe, self._target())

    def _target(self) -> Target:
        address = self._pod["status"]["podIP"]
        return Target(self._pod["spec"], address, self._runtime.http, self._execute)

    async def _execute(self, command: list[str]) -> int:
        """Run a command with the container's environment; its output goes to the same log."""
        process = await self._start(Launch(command, self._launch().env))
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.signal(signal.SIGKILL)

    # -- what is told ---------------------------------------------------------------------------

    def _launch(self) -> Launch:
        return launch(self._pod, self._spec, self._data)

    def _data(self, kind: str, name: str) -> dict[str, str] | None:
        wanted = CONFIG_MAP if kind == CONFIG_MAP.name else SECRET
        found = self._runtime.cluster.get(wanted, self._pod["metadata"]["namespace"], name)
        return None if found is None else decoded(found)

    def _set(self, state: JSON) -> None:
        self.state.state = state
        self._changed()

    def _unhealthy(self, which: str, finding: ProbeResult) -> None:
        if self._retired.is_set():
            return  # not ready while draining is as it should be
        self._event("Unhealthy", f"{which} probe failed: {finding.message}", warning=True)

    def _event(self, reason: str, message: str, *, warning: bool = False) -> None:
        record = self._runtime.events.warning if warning else self._runtime.events.normal
        record(self._pod, reason, message)


def _ended(code: int, reason: str, began: datetime, ended: datetime) -> JSON:
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": timestamp(began),
            "finishedAt": timestamp(ended),
        }
    }
