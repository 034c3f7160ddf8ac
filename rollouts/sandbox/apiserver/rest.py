"""The verbs on objects, between a request and the store."""

from typing import Any

from aiohttp import web

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.answers import answer, success, wants_table
from rollouts.sandbox.apiserver.bodies import check_name, checked_fields, named, writer_of
from rollouts.sandbox.apiserver.builtins import MADE_BY_UPDATE, UPDATED_AT_A_VERSION
from rollouts.sandbox.apiserver.errors import ApiError, Cause, conflict, invalid, qualified, shown
from rollouts.sandbox.apiserver.listing import page, presented, selected
from rollouts.sandbox.apiserver.objects import key_of
from rollouts.sandbox.apiserver.ownership import Writer
from rollouts.sandbox.apiserver.patching import Patching
from rollouts.sandbox.apiserver.rbac import Authorizer
from rollouts.sandbox.apiserver.requests import Call, attempt_of, body_of
from rollouts.sandbox.apiserver.scale import scale_of, scaled
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.tables import Tabulator

_POLICIES = ("Foreground", "Background", "Orphan")


class Rest:
    """Serves get, list, create, update, patch, delete and deletecollection of every kind."""

    def __init__(self, store: Store, authorizer: Authorizer) -> None:
        self._store = store
        self._authorizer = authorizer
        self._patching = Patching(store, authorizer)

    async def serve(self, call: Call) -> web.StreamResponse:
        """
        Do what the call asks and answer it.

        Raises:
            ApiError: the refusal to answer with.
        """
        body = await body_of(call.request)
        if call.verb.startswith("delete"):
            body = _options(_asked(call) if body is None else body)
        if call.verb == "get":
            return self._formed(call, self._get(call))
        if call.verb == "list":
            listed = page(self._store, call)
            return self._formed(call, listed)
        if call.verb == "create":
            return self._create(call, body)
        if call.verb == "update":
            return self._update(call, body)
        if call.verb == "patch":
            return self._patching.serve(call, body)
        if call.verb == "delete":
            return self._delete(call, body)
        if call.verb == "deletecollection":
            return self._delete_collection(call, body)
        raise ApiError(405, "the server does not allow this method on the requested resource")

    def _formed(self, call: Call, body: JSON) -> web.Response:
        if wants_table(call.request):
            body = Tabulator(call).of(body, self._store.now())
        return answer(body)

    def _get(self, call: Call) -> JSON:
        stored = self._store.stored(call.resource, call.target.namespace, call.target.name)
        if call.target.subresource == "scale":
            return scale_of(stored, call.resource)
        return presented(stored, call.resource)

    def _create(self, call: Call, body: Any) -> web.Response:
        if call.target.name:
            raise ApiError(405, "the server does not allow this method on the requested resource")
        obj = named(call, body)
        writer = writer_of(call, checked_fields(call, obj))
        created = self._store.create(call.resource.kind, obj, writer)
        return answer(created, 201, writer.warnings)

    def _update(self, call: Call, body: Any) -> web.Response:
        kind, subresource = call.resource.kind, call.target.subresource
        if subresource == "scale":
            stored = self._store.stored(call.resource, call.target.namespace, call.target.name)
            obj = scaled(stored, call.resource, body)
            updated = self._store.replace(kind, obj, subresource, writer_of(call))
            return answer(scale_of(updated, call.resource))
        obj = named(call, body)
        name = obj["metadata"].get("name")
        check_name(call, name)
        writer = writer_of(call, checked_fields(call, obj))
        if kind in MADE_BY_UPDATE and not self._store.get(kind, call.target.namespace, name):
            return self._make(call, obj, writer)
        versioned = call.resource.custom is not None or kind in UPDATED_AT_A_VERSION
        if versioned:
            self._store.stored(call.resource, call.target.namespace, name)
        if versioned and not obj["metadata"].get("resourceVersion"):
            message = "Invalid value: 0: must be specified for an update"
            cause = Cause("metadata.resourceVersion", message)
            raise invalid(kind.plural, kind.group, name, [cause])
        updated = self._store.replace(kind, obj, subresource, writer)
        return answer(updated, 200, writer.warnings)

    def _make(self, call: Call, obj: JSON, writer: Writer) -> web.Response:
        """Make what an update is to replace and is not there."""
        self._authorizer.require(call.user, attempt_of("create", call.target))
        obj["metadata"].pop("resourceVersion", None)
        return answer(self._store.create(call.resource.kind, obj, writer), 201, writer.warnings)

    def _delete(self, call: Call, options: JSON) -> web.Response:
        kind, target = call.resource.kind, call.target
        if target.subresource:
            what = qualified(kind.plural, kind.group)
            raise ApiError(405, f'delete is not supported on resources of kind "{what}"')
        current = self._get(call)
        uid = current["metadata"]["uid"]
        self._check_preconditions(call, current, options)
        if not options.get("dryRun"):
            self._remove(call, target.namespace, target.name, options)
        after = self._store.get(kind, target.namespace, target.name)
        if after is not None and after["metadata"]["uid"] == uid:
            return answer(after)
        return answer(success(kind.plural, kind.group, target.name, uid))

    def _delete_collection(self, call: Call, options: JSON) -> web.Response:
        listed = page(self._store, call)
        if options.get("dryRun"):
            return answer(listed)
        for obj in selected(self._store, call):
            self._remove(call, *key_of(obj), options)
        return answer(listed)

    def _remove(self, call: Call, namespace: str, name: str, options: JSON) -> None:
        grace = options.get("gracePeriodSeconds")
        policy = options.get("propagationPolicy")
        if options.get("orphanDependents"):
            policy = "Orphan"
        self._store.delete(
            call.resource.kind,
            namespace,
            name,
            grace_seconds=None if grace is None else int(grace),
            propagation=policy or "Background",
        )

    def _check_preconditions(self, call: Call, current: JSON, options: JSON) -> None:
        wanted = options.get("preconditions") or {}
        kind, meta = call.resource.kind, current["metadata"]
        words = {
            "uid": ("UID", "deleted and then recreated"),
            "resourceVersion": ("ResourceVersion", "modified"),
        }
        for field, (word, fate) in words.items():
            if wanted.get(field) and wanted[field] != meta[field]:
                why = f"the {word} in the precondition ({wanted[field]}) does not match the {word} in record"
                why += f" ({meta[field]}). The object might have been {fate}"
                raise conflict(kind.name, kind.group, meta["name"], why)


def _asked(call: Call) -> JSON:
    """Return the options of a deletion that has no body: those of its query, which counts for nothing else."""
    seconds = call.number("gracePeriodSeconds")
    asked = {
        "dryRun": call.dry_run,
        "gracePeriodSeconds": None if seconds is None else int(seconds),
        "propagationPolicy": call.asks("propagationPolicy") or None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _options(body: Any) -> JSON:
    """
    Return the options of a deletion.

    Raises:
        ApiError: 400, they make no sense; 422, there is no such policy.
    """
    options = body
    seconds = options.get("gracePeriodSeconds") if isinstance(options, dict) else "none"
    preconditions = options.get("preconditions") if isinstance(options, dict) else None
    policy = options.get("propagationPolicy") if isinstance(options, dict) else None
    if policy not in (None, *_POLICIES):
        listed = ", ".join(map(shown, (*_POLICIES, "nil")))
        message = f"Unsupported value: {shown(policy)}: supported values: {listed}"
        cause = Cause("propagationPolicy", message, "FieldValueNotSupported")
        raise invalid("DeleteOptions", "meta.k8s.io", "", [cause])
    if not isinstance(seconds, int | None) or not isinstance(preconditions, dict | None):
        raise ApiError(400, "json: cannot unmarshal the body into Go value of type DeleteOptions")
    return dict(options)
