"""The verbs on objects, between a request and the store."""

from typing import Any

from aiohttp import web

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.answers import answer, success, wants_table
from rollouts.sandbox.apiserver.errors import ApiError, conflict
from rollouts.sandbox.apiserver.listing import page, presented, selected
from rollouts.sandbox.apiserver.objects import key_of
from rollouts.sandbox.apiserver.ownership import Writer
from rollouts.sandbox.apiserver.patches import json_patch, merge_patch
from rollouts.sandbox.apiserver.requests import Call, body_of
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.tables import Tabulator

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Rest:
    """Serves get, list, create, update, patch, delete and deletecollection of every kind."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def serve(self, call: Call) -> web.StreamResponse:
        """
        Do what the call asks and answer it.

        Raises:
            ApiError: the refusal to answer with.
        """
        body = await body_of(call.request)
        if call.verb == "get":
            return self._formed(call, self._get(call))
        if call.verb == "list":
            listed = page(self._store, call.resource, call.target, call.request.query)
            return self._formed(call, listed)
        if call.verb == "create":
            return self._create(call, body)
        if call.verb == "update":
            return self._update(call, body)
        if call.verb == "patch":
            return self._patch(call, body)
        if call.verb == "delete":
            return self._delete(call, body or {})
        if call.verb == "deletecollection":
            return self._delete_collection(call, body or {})
        raise ApiError(405, "the server does not allow this method on the requested resource")

    def _formed(self, call: Call, body: JSON) -> web.Response:
        return answer(Tabulator(call).listing(body) if wants_table(call.request) else body)

    def _get(self, call: Call) -> JSON:
        stored = self._store.stored(call.resource, call.target.namespace, call.target.name)
        return presented(stored, call.resource)

    def _create(self, call: Call, body: Any) -> web.Response:
        obj = self._named(call, body)
        return answer(self._store.create(call.resource.kind, obj, self._writer(call)), 201)

    def _update(self, call: Call, body: Any) -> web.Response:
        obj = self._named(call, body)
        if obj["metadata"].get("name") != call.target.name:
            raise ApiError(
                400,
                f"the name of the object ({obj['metadata'].get('name')}) does not match the name on the URL ({call.target.name})",
            )
        kind, subresource = call.resource.kind, call.target.subresource
        return answer(self._store.replace(kind, obj, subresource, self._writer(call)))

    def _patch(self, call: Call, body: Any) -> web.Response:
        current = self._get(call)
        if call.request.content_type == MERGE:
            obj = merge_patch(current, body)
        elif call.request.content_type == JSON_PATCH:
            obj = json_patch(current, body)
        else:
            raise ApiError(
                415,
                f"the body of the request was in an unknown format - accepted media types include: {JSON_PATCH}, {MERGE}",
            )
        kind, subresource = call.resource.kind, call.target.subresource
        return answer(self._store.replace(kind, obj, subresource, self._writer(call)))

    def _delete(self, call: Call, options: JSON) -> web.Response:
        kind, target = call.resource.kind, call.target
        current = self._get(call)
        uid = current["metadata"]["uid"]
        self._check_preconditions(call, current, options)
        if not (call.dry_run or options.get("dryRun")):
            self._remove(call, target.namespace, target.name, options)
        after = self._store.get(kind, target.namespace, target.name)
        if after is not None and after["metadata"]["uid"] == uid:
            return answer(after)
        return answer(success(kind.plural, kind.group, target.name, uid))

    def _delete_collection(self, call: Call, options: JSON) -> web.Response:
        listed = page(self._store, call.resource, call.target, call.request.query)
        for obj in selected(self._store, call.resource, call.target, call.request.query):
            self._remove(call, *key_of(obj), options)
        return answer(listed)

    def _remove(self, call: Call, namespace: str, name: str, options: JSON) -> None:
        grace = options.get("gracePeriodSeconds", call.asks("gracePeriodSeconds") or None)
        policy = options.get("propagationPolicy") or call.asks("propagationPolicy")
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
        words = {"uid": "UID", "resourceVersion": "ResourceVersion"}
        for field, word in words.items():
            if wanted.get(field) and wanted[field] != meta[field]:
                why = f"Precondition failed: {word} in precondition: {wanted[field]}, {word} in object meta: {meta[field]}"
                raise conflict(kind.plural, kind.group, meta["name"], why)

    def _named(self, call: Call, body: Any) -> JSON:
        """Return the body as an object of the call's kind, in the call's namespace."""
        kind, target = call.resource.kind, call.target
        if not isinstance(body, dict):
            raise ApiError(400, "the body of the request is no object")
        if (body.get("kind") or kind.name) != kind.name or (
            body.get("apiVersion") or kind.api_version
        ) != kind.api_version:
            raise ApiError(
                400,
                f"the API version in the data ({body.get('apiVersion')}) does not match the expected API version ({kind.api_version})",
            )
        meta = dict(body.get("metadata") or {})
        given = meta.get("namespace") or target.namespace
        if given != target.namespace and call.resource.namespaced:
            raise ApiError(
                400,
                "the namespace of the provided object does not match the namespace sent on the request",
            )
        if call.resource.namespaced:
            meta["namespace"] = target.namespace
        return body | {"metadata": meta}

    def _writer(self, call: Call) -> Writer:
        return Writer(call.manager, dry_run=call.dry_run)
