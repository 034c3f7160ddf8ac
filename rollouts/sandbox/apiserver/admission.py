"""What every write passes before it is stored: defaults, validation, and the kinds that define kinds."""

import itertools

from rollouts.model.kinds import CRD, JSON, FrozenJSON
from rollouts.model.merge_patch import without_nulls
from rollouts.sandbox.apiserver import custom_resources, quotas, validation
from rollouts.sandbox.apiserver.builtins import RESOURCE_QUOTA
from rollouts.sandbox.apiserver.cel_rules import Circumstances, broken_rules, has_rules
from rollouts.sandbox.apiserver.defaults import defaulted_object
from rollouts.sandbox.apiserver.errors import Cause, invalid
from rollouts.sandbox.apiserver.etcd import Etcd
from rollouts.sandbox.apiserver.names import late_finalizers, metadata_causes
from rollouts.sandbox.apiserver.objects import timestamp
from rollouts.sandbox.apiserver.ownership import Writer
from rollouts.sandbox.apiserver.registry import Resource, Version
from rollouts.sandbox.apiserver.schema import (
    ABSENT,
    defaulted,
    made_integral,
    pruned,
    violations,
    without_idle_nulls,
)

_BLOCKING = {
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
    "FieldValueNotSupported",
}
_UNCHECKED = Cause(
    "<nil>",
    "Invalid value: null: some validation rules were not checked because the object was "
    "invalid; correct the existing errors to complete validation",
)


class Admission:
    """The gate in front of the store."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd
        self._addresses = itertools.count(2)

    def admit(
        self, resource: Resource, obj: JSON, current: FrozenJSON | None, writer: Writer
    ) -> None:
        """
        Complete `obj` with defaults, in place, and refuse it when it is invalid.

        Raises:
            ApiError: 422, with a cause per field.
        """
        causes = [*metadata_causes(obj), *(late_finalizers(obj, current) if current else ())]
        if resource.custom is not None:
            causes += _custom(resource.custom, obj, current, writer)
        else:
            causes += self._builtin(resource, obj, current, writer.subresource)
        if causes:
            kind = resource.kind
            raise invalid(kind.name, kind.group, obj["metadata"]["name"], causes)

    def _builtin(
        self, resource: Resource, obj: JSON, current: FrozenJSON | None, subresource: str
    ) -> list[Cause]:
        complete = without_nulls(obj)
        obj.clear()
        obj.update(complete)
        if resource.kind == CRD:
            causes = custom_resources.definition_causes(obj, current)
            if not causes:
                custom_resources.completed(obj, timestamp(self._etcd.now()))
            return causes
        defaulted_object(obj, current, self._new_address)
        causes = validation.object_causes(obj, current) if subresource != "status" else []
        if resource.kind == RESOURCE_QUOTA:
            causes += quotas.completed(self._etcd, obj)
        return causes

    def admitted(self, resource: Resource, obj: FrozenJSON) -> None:
        """Follow what has been stored: a definition's kind is served from now on."""
        if resource.kind == CRD:
            self._define(obj, custom_resources.resources_of(obj))

    def removed(self, resource: Resource, obj: FrozenJSON) -> None:
        """Follow what has been removed: what a definition defined is served no more."""
        if resource.kind == CRD:
            self._define(obj, [])

    def _new_address(self) -> str:
        """Return a cluster address that no Service has had yet."""
        number = next(self._addresses)
        return f"10.96.{number // 256 % 256}.{number % 256}"

    def _define(self, crd: FrozenJSON, versions: list[Resource]) -> None:
        """Serve these versions of a kind; watches of others, or of changed ones, end."""
        spec = crd["spec"]
        known = self._etcd.registry.define(spec["group"], spec["names"]["plural"], versions)
        feed = self._etcd.feed(custom_resources.stored_resource(crd))
        if versions and not known:
            feed.compact(self._etcd.revision)  # what was once under this name is another kind
        feed.wake()


def _custom(version: Version, obj: JSON, current: FrozenJSON | None, writer: Writer) -> list[Cause]:
    schema = version.schema
    pruned(obj, schema)
    without_idle_nulls(obj, schema)
    defaulted(obj, schema)
    floats = made_integral(obj, schema)
    causes = violations(_body(obj), schema, old=_body(current) if current else ABSENT)
    if any(cause.reason in _BLOCKING for cause in causes):
        return [*causes, _UNCHECKED] if has_rules(schema) else causes
    for cause, excused in broken_rules(obj, current, schema, around=Circumstances(floats=floats)):
        if not excused:
            causes.append(cause)
        elif writer.warnings is not None:
            writer.warnings.append(str(cause))
    if version.stored_schema is not schema:
        pruned(obj, version.stored_schema)
    return causes


def _body(obj: FrozenJSON) -> JSON:
    return {key: value for key, value in obj.items() if key != "metadata"}
