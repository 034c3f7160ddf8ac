"""
One release on one data plane, held at each feature: a header, a cookie, a mirror, each weight.

What is counted is what clients and pods saw, by `x-version` and by the pods' own counters. Before
anything is counted, a route of somebody else is changed and waited for: a data plane that serves
that one serves all that was written before it.
"""

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import aiohttp

from bench.app import App
from bench.counts import Count
from bench.data_plane import DataPlane
from bench.manifests import NAME, OWN_ERRORS, SOON, metadata, rollout, service
from bench.traffic import Traffic
from rollouts.model.kinds import ENDPOINT_SLICE, JSON, POD, SERVICE
from rollouts.sandbox.dataplane.endpoints import SERVICE_NAME_LABEL
from rollouts.sandbox.environment import Sandbox

WEIGHTS = (1, 5, 25, 50)
FEW, BETWEEN_CHANGES = 300, 15
"""So many requests at a low weight, and so many between two changes."""
LOW_PERCENT = 5
ASKED = 200
HEADER = {"X-Canary": "please"}
COOKIE = {"Cookie": "a=b; try=always; c=d"}
PATIENCE_SECONDS = 30.0
RATE = 50.0
COPIES_SECONDS = 5.0
"""Nobody waits for a copy, so that it may come later than the answer."""
_AT_ONCE = 8
_COUNTED = re.compile(r"^http_requests_total\{.*\} (\S+)$", re.MULTILINE)
_HOLD: JSON = {"pause": {}}
_OTHER = "other"
_MIRRORED, _ANOTHER = "mirrored.example", "another.example"


class FeatureTrial:
    """Version 2 on its way; what was counted is in `counts` by name."""

    def __init__(self, sandbox: Sandbox, plane: DataPlane, namespace: str, answers: int) -> None:
        self.counts: dict[str, Count] = {}
        self.splits: dict[str, Count] = {}
        self.late_seconds = 0.0
        self.mirror_confirmed: bool | None = None
        self._store = sandbox.store
        self._plane = plane
        self._place = plane.place(namespace)
        self._app = App(sandbox, namespace)
        self._answers = answers
        self._changes = itertools.count(1)
        self._stop = 0

    async def run(self) -> None:
        """Count everything, and leave nothing that has pods."""
        async with aiohttp.ClientSession() as session:
            self._session = session
            await self._opens()
            await self._routes()
            await self._mirror()
            for weight in WEIGHTS:
                await self._at(weight)
            await self._another_route()
            await self._goes_back()
        self._app.closes()

    async def _opens(self) -> None:
        namespace, host = self._place.namespace, self._place.host
        self._app.opens()
        kind, other = service(namespace)
        other["metadata"] = metadata(namespace, _OTHER)
        routes = [
            self._plane.route(namespace, host),
            self._plane.route(namespace, self._host(0), _OTHER, _OTHER),
        ]
        self._app.create([service(namespace), (kind, other), *routes])
        canary = {"stableService": NAME, "trafficRouting": self._plane.routing}
        strategy = {"canary": {**canary, "steps": _steps(self._plane), **SOON}}
        self._app.create([rollout(namespace, strategy, successCriteria=[OWN_ERRORS])])
        await self._app.until(lambda: self._app.status.get("phase") == "Healthy", "first deploy")
        self._app.releases("2")

    async def _routes(self) -> None:
        await self._holds()
        for name, headers in ("header", HEADER), ("no_header", {}), ("cookie", COOKIE):
            self.counts[name] = _count((await self._ask(ASKED, headers))["2"], ASKED)

    async def _mirror(self) -> None:
        """Ask a route that mirrors to the canary as the controller would have it, and no Rollout names."""
        shadow = await self._shadow()
        kind, body = self._plane.mirrored(self._place.namespace, _MIRRORED, shadow)
        self._app.create([(kind, body)])
        await self._is_in_force()
        before = await self._counted()
        answers = await self._ask(ASKED, host=_MIRRORED)
        begin = time.monotonic()
        while (copies := await self._counted() - before) < ASKED:
            if time.monotonic() - begin > COPIES_SECONDS:
                break
            await asyncio.sleep(0.1)
        self.counts["mirror_copies"] = _count(round(copies), ASKED)
        self.counts["mirror_answers"] = _count(answers["1"], ASKED)
        found = self._store.get(kind, self._place.namespace, body["metadata"]["name"]) or {}
        parents = (found.get("status") or {}).get("parents") or []
        said = [each["status"] for parent in parents for each in parent["conditions"]]
        self.mirror_confirmed = set(said) == {"True"} if said else None
        self._store.delete(kind, self._place.namespace, body["metadata"]["name"])
        self._store.delete(SERVICE, self._place.namespace, shadow)

    async def _shadow(self) -> str:
        """
        Return a second Service of the canary's pods, once it has endpoints.

        A mirror to the canary's own would be one that the controller takes away again. This one has to
        go before the release goes on: it would be left without endpoints.
        """
        namespace, name = self._place.namespace, "shadow"
        canary = self._store.get(SERVICE, namespace, f"{NAME}-canary") or {}
        kind, body = service(namespace)
        body["metadata"] = metadata(namespace, name)
        body["spec"]["selector"] = canary["spec"]["selector"]
        self._app.create([(kind, body)])
        labels = {SERVICE_NAME_LABEL: name}
        await self._app.until(
            lambda: any(
                each.get("endpoints")
                for each in self._store.select(ENDPOINT_SLICE, namespace, labels)
            ),
            "the mirror's endpoints",
        )
        return name

    async def _at(self, weight: int) -> None:
        await self._goes_on()
        answers = await self._ask(self._answers)
        self.splits[str(weight)] = _count(answers["2"], self._answers)
        if weight == LOW_PERCENT:
            await self._changes_of_others()

    async def _changes_of_others(self) -> None:
        """Ask a few times, without and with changes in between, one request after the other."""
        undisturbed = await self._ask(FEW, at_once=1)
        reloaded: Counter[str] = Counter()
        for _ in range(FEW // BETWEEN_CHANGES):
            await self._is_in_force()
            reloaded += await self._ask(BETWEEN_CHANGES, at_once=1)
        self.counts["undisturbed"] = _count(undisturbed["2"], FEW)
        self.counts["reloaded"] = _count(reloaded["2"], FEW)

    async def _another_route(self) -> None:
        """Ask by a second route to the stable Service, which the Rollout does not name."""
        namespace = self._place.namespace
        kind, body = self._plane.route(namespace, _ANOTHER, "another")
        self._app.create([(kind, body)])
        await self._is_in_force()
        answers = await self._ask(ASKED, host=_ANOTHER)
        self.counts["another_route"] = _count(answers["2"], ASKED)
        self._store.delete(kind, namespace, "another")
        await self._is_in_force()

    async def _goes_back(self) -> None:
        """
        Abort under traffic; see how long the canary answers after the Rollout has said 0 %.

        A route of somebody else has just changed, as in a cluster some always has.
        """
        stream = self._place.by_ingress()
        traffic = Traffic([stream], RATE)
        async with traffic.flowing():
            await self._app.until(lambda: traffic.answers(stream.name)["2"], "the canary answers")
            self._changes_other()
            self._app.commands("abort")
            await self._app.until(
                lambda: (self._app.status.get("weights") or {}).get("applied") == 0, "0 %"
            )
            said = datetime.now(UTC)
            await self._app.is_over()
        (report,) = traffic.reports()
        last = report.versions["2"].last_at
        self.late_seconds = max(0.0, (last - said).total_seconds())

    async def _goes_on(self) -> None:
        self._app.commands("promote")
        await self._holds()

    async def _holds(self) -> None:
        """Wait for the next pause, until what was written for it is served."""
        pauses = [number for number, step in enumerate(_steps(self._plane)) if step == _HOLD]
        stop = pauses[self._stop]
        self._stop += 1
        await self._app.until(lambda: self._app.step == stop, f"the pause at {stop}")
        await self._is_in_force()

    async def _is_in_force(self) -> None:
        """Change the other route's host, and wait until it is served."""
        host = self._changes_other()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self._one(host, {})) is None:  # noqa: ASYNC110 - who serves it tells nobody
                await asyncio.sleep(0.05)

    def _changes_other(self) -> str:
        """Give the other route another host, and return it."""
        host = self._host(next(self._changes))
        kind, body = self._plane.route(self._place.namespace, host, _OTHER, _OTHER)
        self._store.patch(kind, self._place.namespace, _OTHER, {"spec": body["spec"]})
        return host

    async def _ask(
        self,
        times: int,
        headers: Mapping[str, str] | None = None,
        at_once: int = _AT_ONCE,
        host: str = "",
    ) -> Counter[str]:
        """Ask so often; return how many answers each version gave, and "" what was no pod's."""
        left = itertools.repeat(None, times)
        answers: Counter[str] = Counter()

        async def some() -> None:
            for _ in left:
                answers[await self._one(host or self._place.host, headers or {}) or ""] += 1

        await asyncio.gather(*(some() for _ in range(at_once)))
        return answers

    async def _one(self, host: str, headers: Mapping[str, str]) -> str | None:
        """Return the version that answered; None when no pod did."""
        given = {"Host": host, **headers}
        async with self._session.get(f"{self._plane.url}/", headers=given) as response:
            await response.read()
            return response.headers.get("x-version")

    async def _counted(self) -> float:
        """Return how many requests the canary's pods have counted."""
        total = 0.0
        for pod in self._store.select(POD, self._place.namespace):
            if pod["spec"]["containers"][0]["image"].endswith(":2"):
                url = f"http://{pod['status']['podIP']}:8080/metrics"
                async with self._session.get(url) as response:
                    total += sum(map(float, _COUNTED.findall(await response.text())))
        return total

    def _host(self, number: int) -> str:
        return f"other-{number}.{self._place.host}"


def _count(seen: int, of: int) -> Count:
    return Count(seen=seen, of=of)


def _steps(plane: DataPlane) -> list[JSON]:
    """Return the release's: it is held at the header routes, and at each weight."""
    exact = {"exact": HEADER["X-Canary"]}
    found = {"testers": {"headerName": "X-Canary", "headerValue": exact}}
    if plane.is_gateway:  # elsewhere the cookie is the Ingress'
        value = {"regex": r"(.*;\s*)?try=always(;.*)?"}
        found["cookie"] = {"headerName": "Cookie", "headerValue": value}
    routes = [{"setHeaderRoute": {"name": name, "match": [match]}} for name, match in found.items()]
    ended = [{"setHeaderRoute": {"name": name}} for name in found]
    weights = [step for weight in WEIGHTS for step in ({"setWeight": weight}, _HOLD)]
    return [*routes, _HOLD, *ended, *weights]
