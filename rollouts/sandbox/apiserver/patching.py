"""The patch verb, in its four languages."""

import dataclasses
from typing import Any

from aiohttp import web

from rollouts.model.kinds import JSON, FrozenJSON
from rollouts.sandbox.apiserver.answers import answer
from rollouts.sandbox.apiserver.apply import Application, applied
from rollouts.sandbox.apiserver.bodies import check_name, checked_fields, named, unfit, writer_of
from rollouts.sandbox.apiserver.errors import ApiError, Cause, conflict, invalid, not_found, shown
from rollouts.sandbox.apiserver.field_types import type_error
from rollouts.sandbox.apiserver.listing import presented
from rollouts.sandbox.apiserver.patches import json_patch, merge_patch
from rollouts.sandbox.apiserver.rbac import Authorizer
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.requests import Call, attempt_of
from rollouts.sandbox.apiserver.scale import scale_of, scaled
from rollouts.sandbox.apiserver.shapes import shape_of
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.strategic import strategic_merge

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY_YAML = "application/apply-patch+yaml"


class Patching:
    """Applies patches to what the store has."""

    def __init__(self, store: Store, authorizer: Authorizer) -> None:
        self._store = store
        self._authorizer = authorizer

    def serve(self, call: Call, body: Any) -> web.Response:
        """
        Apply the patch and answer with the result.

        Raises:
            ApiError: the refusal; 415 for a language that the kind does not understand.
        """
        if call.request.content_type == APPLY_YAML:
            return self._apply(call, body)
        stored = self._store.stored(call.resource, call.target.namespace, call.target.name)
        if call.target.subresource == "scale":
            wanted = self._patched(call, _scale_before(stored, call.resource), body)
            _check_types(wanted, "Scale")
            obj = scaled(stored, call.resource, wanted)
        else:
            obj = self._patched(call, presented(stored, call.resource), body)
            _check_types(obj, "" if call.resource.custom else call.resource.kind.name)
        if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
            raise ApiError(400, "the patch leaves no object")
        _check_identity(call, stored, obj)
        writer = writer_of(call, checked_fields(call, obj, patched=True))
        kind, subresource = call.resource.kind, call.target.subresource
        result = self._store.replace(kind, named(call, obj), subresource, writer)
        if subresource == "scale":
            result = scale_of(result, call.resource)
        return answer(result, 200, writer.warnings)

    def _patched(self, call: Call, current: JSON, patch: Any) -> Any:
        media = call.request.content_type
        if media == MERGE and isinstance(patch, dict):
            return merge_patch(current, patch)
        if media == JSON_PATCH:
            return json_patch(current, patch)
        if media == STRATEGIC and call.resource.patchable_strategically:
            return strategic_merge(current, patch, shape_of(call.resource))
        known = [JSON_PATCH, MERGE, APPLY_YAML]
        if call.resource.patchable_strategically:
            known.append(STRATEGIC)
        if media in known:
            why = "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
            raise ApiError(400, why)
        raise ApiError(
            415,
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(sorted(known)),
        )

    def _apply(self, call: Call, body: Any) -> web.Response:
        self._check_apply(call, body)
        target, kind = call.target, call.resource.kind
        config = named(call, body)
        config["metadata"].setdefault("name", target.name)
        _check_decodable(call, config)
        application = Application(
            call.resource, config, call.manager, call.asks("force") == "true", target.subresource
        )
        writer = dataclasses.replace(writer_of(call), applied=True)
        found = self._store.get(kind, target.namespace, target.name)
        if found is None:
            if target.subresource:
                raise not_found(kind.plural, kind.group, target.name)
            _check_new(call, config["metadata"])
            self._authorizer.require(call.user, attempt_of("create", target))
            obj = applied(application, None, self._store.now())
            return answer(self._store.create(kind, obj, writer), 201, writer.warnings)
        _check_identity(call, found, config)
        obj = applied(application, found, self._store.now())
        result = self._store.replace(kind, obj, target.subresource, writer)
        return answer(result, 200, writer.warnings)

    def _check_apply(self, call: Call, body: Any) -> None:
        if not call.asks("fieldManager"):
            message = "Required value: is required for apply patch"
            cause = Cause("fieldManager", message, "FieldValueRequired")
            raise invalid("PatchOptions", "meta.k8s.io", "", [cause])
        if not isinstance(body, dict) or not body.get("apiVersion") or not body.get("kind"):
            raise ApiError(400, "invalid object type: /, Kind=")
        meta = body.get("metadata") or {}
        if meta.get("managedFields") is not None:
            raise ApiError(400, "metadata.managedFields must be nil")
        check_name(call, meta.get("name", call.target.name))


def _scale_before(stored: FrozenJSON, resource: Resource) -> JSON:
    """Return what a patch of a Scale begins with: an object without replicas may get some."""
    try:
        return scale_of(stored, resource)
    except ApiError:
        return scale_of(scaled(stored, resource, {}), resource)


def _check_types(obj: Any, kind: str) -> None:
    """Raise the 422 that a patch gets which makes something of an object that can't be decoded."""
    wrong = type_error(obj, kind) if isinstance(obj, dict) else ""
    if wrong:
        raise unfit(shown(obj), wrong)


def _check_decodable(call: Call, config: JSON) -> None:
    """Raise the 500 that an apply gets of what its kind is not made of."""
    kind = call.resource.kind
    wrong = type_error(config, "" if call.resource.custom else kind.name)
    if wrong:
        of = f"{kind.group}/{kind.version}, Kind={kind.name}"
        where = f"{call.target.namespace}/{call.target.name}; {of}"
        why = f"unable to convert unstructured object to {of}: {wrong}"
        raise ApiError(500, f"failed to convert new object ({where}) to proper version: {why}")


def _check_new(call: Call, meta: JSON) -> None:
    """Let an apply make an object, of whatever version; raise 409 when it means one of a uid."""
    meta.pop("resourceVersion", None)
    kind, uid = call.resource.kind, meta.get("uid")
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(kind.plural, kind.group, call.target.name, why)


def _check_identity(call: Call, stored: FrozenJSON, obj: JSON) -> None:
    """
    Let a patch pass that leaves an object the one that it is.

    Raises:
        ApiError: 400, it would get another name; 422, another uid.
    """
    kind, meta = call.resource.kind, obj["metadata"]
    check_name(call, meta.get("name"))
    uid = meta.get("uid")
    if uid and uid != stored["metadata"]["uid"]:
        cause = Cause("metadata.uid", f"Invalid value: {shown(uid)}: field is immutable")
        raise invalid(kind.name, kind.group, call.target.name, [cause])
