"""What a request asks for: its place in the API, its verb, and its body."""

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.protobuf import decoded
from rollouts.sandbox.apiserver.rbac import Attempt
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.users import User

_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Target:
    """A place in the API; an empty `plural` is a path that holds no objects, such as /version."""

    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request for objects, understood: who wants what done to which kind."""

    request: web.Request
    user: User
    verb: str
    target: Target
    resource: Resource

    def asks(self, parameter: str) -> str:
        """Return a query parameter, "" when it is not there."""
        return self.request.query.get(parameter, "")

    def number(self, parameter: str) -> float | None:
        """
        Return a query parameter as a number, None when it is not there.

        Raises:
            ApiError: 400, it is no number from 0.
        """
        text = self.asks(parameter)
        if not text:
            return None
        if not re.fullmatch(r"\d+(\.\d+)?", text):
            raise ApiError(400, f'{parameter}: Invalid value: "{text}": invalid syntax')
        return float(text)

    @property
    def manager(self) -> str:
        """Who the managed fields are written down to."""
        agent = self.request.headers.get("User-Agent", "unknown")
        return self.asks("fieldManager") or agent.partition("/")[0][:128]

    @property
    def dry_run(self) -> bool:
        return self.asks("dryRun") == "All"


def target_of(path: str) -> Target:
    """Return what a path names."""
    parts = [part for part in path.split("/") if part]
    if len(parts) > 2 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) > 3 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest, "", "", "")[:3]
    return Target(group, version, plural, namespace, name, subresource)


def verb_of(request: web.Request, target: Target) -> str:
    """Return the verb as RBAC and the audit log have it."""
    if not target.plural:
        return request.method.lower()
    if request.method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if request.method in _VERBS:
        return _VERBS[request.method]
    if request.query.get("watch", "").lower() in ("true", "1"):
        return "watch"
    return "get" if target.name else "list"


_ONE_NAME = re.compile(r"metadata\.name==?([^,=]+)")


def attempt_of(verb: str, target: Target, field_selector: str = "") -> Attempt:
    """
    Return what a request attempts, as RBAC is asked about it.

    A list or a watch of one name alone is allowed to who may see just this one.
    """
    only = _ONE_NAME.fullmatch(field_selector)
    namespaces = target.plural == "namespaces" and not target.group
    return Attempt(
        verb,
        target.group,
        target.plural,
        target.subresource,
        target.name if namespaces else target.namespace,
        target.name or (only[1] if only else ""),
    )


class _Loader(yaml.SafeLoader):
    """YAML in which a date is a string, as in Kubernetes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


async def body_of(request: web.Request) -> Any:
    """
    Return the request's body, from JSON, YAML or protobuf; None when it is empty.

    Raises:
        ApiError: 400 when it can't be parsed, 415 when it is in another language.
    """
    content_type = request.content_type
    raw = await request.read()
    if not raw.strip():
        return None
    if "protobuf" in content_type:
        return decoded(raw)
    if "cbor" in content_type:
        raise ApiError(
            415,
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )
    try:
        return json.loads(raw)
    except ValueError as error:
        if "yaml" not in content_type:
            raise ApiError(400, f"couldn't decode the body: {error}") from error
    try:
        return yaml.load(raw, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ApiError(400, f"error converting YAML to JSON: {error}") from error
