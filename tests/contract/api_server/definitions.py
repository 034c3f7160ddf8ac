"""A kind of a test's own, with the schema that the test is about."""

import uuid
from typing import Any

from rollouts.kube.paths import object_path
from rollouts.model.kinds import CRD, JSON, Kind, Ref
from tests.contract.api_server.wire import Wire
from tests.waiting import answer

INTEGER: JSON = {"type": "integer"}
STRING: JSON = {"type": "string"}
INVALID_MEANWHILE = ("FieldValueInvalid", "<nil>")
"""The cause that says that rules were not asked."""
OPEN: JSON = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def fields(
    required: list[str] | None = None, rules: list[JSON] | None = None, **parts: JSON
) -> JSON:
    """Return the schema of an object with these fields."""
    schema: JSON = {"type": "object", "properties": parts}
    if required:
        schema["required"] = required
    if rules:
        schema["x-kubernetes-validations"] = rules
    return schema


WIDGET = Kind("contract.example.dev", "v1", "widgets", "Widget")


def widget(spec: Any, name: str = "one", **metadata: Any) -> JSON:
    return custom(WIDGET, {"name": name, **metadata}, spec=spec)


def custom(kind: Kind, metadata: JSON, **parts: Any) -> JSON:
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **parts}


async def defined(wire: Wire, spec: JSON, kind: Kind = WIDGET, **version: Any) -> Kind:
    """
    Define a kind with such a spec, or define it anew, and return it once it is served so.

    A server takes a moment for it: each definition allows another value of a field of its own.
    All tests share one kind, which stays: a server holds the first write to a new one for two seconds.
    """
    mark = uuid.uuid4().hex
    path = object_path(Ref(CRD, "", kind.crd_name))
    versions = [_version(spec, mark, version)]
    before = await wire.get(path)
    if before.status == 200:
        said = await wire.merge(path, {"spec": {"versions": versions}})
    else:
        said = await wire.post(path.rpartition("/")[0], _definition(kind, versions))
    assert said.status < 300, said.message
    probe = custom(kind, {"name": "probe"}, mark=mark)

    async def is_served() -> bool:
        if (await wire.post(wire.of(kind), probe, dryRun="All")).status != 201:
            return False
        cached = await wire.get(wire.of(kind), resourceVersion=0)  # 429 while the cache is filled
        return cached.status == 200

    await answer(is_served)
    return kind


async def told(wire: Wire, where: str, type_name: str, said: str, value: str = "") -> str:
    """
    Return how a server tells of a broken rule.

    Since 1.35 it shows the value, when it is no object and no list; before, always its type.
    """
    shown = value if await wire.minor_version() >= 35 else f'"{type_name}"'
    return f"{where}: Invalid value: {shown}{': ' if shown else ''}{said}"


def _definition(kind: Kind, versions: list[JSON]) -> JSON:
    return {
        "apiVersion": CRD.api_version,
        "kind": CRD.name,
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"plural": kind.plural, "kind": kind.name},
            "versions": versions,
        },
    }


def _version(spec: JSON, mark: str, more: JSON) -> JSON:
    schema = fields(spec=spec, status=OPEN, mark={**STRING, "enum": [mark]})
    return {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        **more,
    }
