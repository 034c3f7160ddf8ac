"""What tests do to objects of a sandbox: in its own store, or on a real API server as its admin."""

import http.client
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from rollouts.model.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    EVENT,
    JSON,
    REPLICA_SET,
    ROLLOUT,
    FrozenJSON,
    Kind,
)
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.users import ADMIN_NAME
from rollouts.sandbox.control_plane.client import MERGE, path_of
from rollouts.sandbox.control_plane.real import NEEDED, RealControlPlane

FOLLOWED = (ROLLOUT, REPLICA_SET, DEPLOYMENT, EVENT, AUTOSCALER, DISRUPTION_BUDGET)
"""What tests look at beside what the sandbox itself follows."""
_PATIENCE_SECONDS = 30.0


class Objects(Protocol):
    """The store of the sandbox's own API server is one."""

    @property
    def revision(self) -> int:
        """Another number whenever something has changed."""
        ...

    def get(self, kind: Kind, namespace: str, name: str) -> JSON | None: ...

    def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]: ...

    def create(self, kind: Kind, body: FrozenJSON) -> JSON: ...

    def patch(
        self, kind: Kind, namespace: str, name: str, merge: FrozenJSON, subresource: str = ""
    ) -> JSON: ...

    def delete(
        self, kind: Kind, namespace: str, name: str, *, propagation: str = "Background"
    ) -> None: ...


class RealObjects:
    """
    Objects on a real control plane: what is followed is read from what was heard, all else is asked.

    Writes block, as those of a store do, and are seen by the next read.
    """

    def __init__(self, plane: RealControlPlane) -> None:
        plane.cluster.follow(*FOLLOWED)
        self._followed = {kind.crd_name for kind in (*FOLLOWED, *NEEDED)}
        self._cache = plane.cluster.cache
        self._programs = plane.programs
        self._connection: http.client.HTTPSConnection | None = None

    @property
    def revision(self) -> int:
        return self._cache.revision

    def get(self, kind: Kind, namespace: str, name: str) -> JSON | None:
        if kind.crd_name in self._followed:
            return self._cache.get(kind, namespace, name)
        try:
            return self._ask("GET", path_of(kind, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]:
        assert kind.crd_name in self._followed, f"{kind} is not followed: add it to FOLLOWED"
        return self._cache.select(kind, namespace, labels)

    def create(self, kind: Kind, body: FrozenJSON) -> JSON:
        whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
        path = path_of(kind, body["metadata"].get("namespace", ""))
        return self._heard(kind, self._ask("POST", path, whole))

    def patch(
        self, kind: Kind, namespace: str, name: str, merge: FrozenJSON, subresource: str = ""
    ) -> JSON:
        path = path_of(kind, namespace, name, subresource)
        return self._heard(kind, self._ask("PATCH", path, merge, MERGE))

    def delete(
        self, kind: Kind, namespace: str, name: str, *, propagation: str = "Background"
    ) -> None:
        path = path_of(kind, namespace, name)
        self._ask("DELETE", path, {"propagationPolicy": propagation})

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _heard(self, kind: Kind, obj: JSON) -> JSON:
        if kind.crd_name in self._followed:
            self._cache.answered(kind, obj)
        return obj

    def _ask(
        self, method: str, path: str, body: Any = None, media: str = "application/json"
    ) -> JSON:
        headers = {
            "Authorization": f"Bearer {self._programs.tokens[ADMIN_NAME]}",
            "Content-Type": media,
        }
        data = None if body is None else json.dumps(body)
        with suppress(http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            return self._answer(method, path, data, headers)
        self.close()  # it had hung up, as after a restart
        self._connection = None
        return self._answer(method, path, data, headers)

    def _answer(self, method: str, path: str, data: str | None, headers: Mapping[str, str]) -> JSON:
        connection = self._connected()
        connection.request(method, path, data, dict(headers))
        response = connection.getresponse()
        found: JSON = json.loads(response.read())
        if response.status >= 400:
            raise ApiError(
                response.status, str(found.get("message")), reason=found.get("reason", "")
            )
        return found

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            trusted = ssl.create_default_context(cafile=str(self._programs.authority))
            self._connection = http.client.HTTPSConnection(
                urlsplit(self._programs.url).netloc, timeout=_PATIENCE_SECONDS, context=trusted
            )
        return self._connection
