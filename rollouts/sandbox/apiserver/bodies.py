"""Bodies of writes: do they fit the request, and the schema's field names?"""

from typing import Any

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.errors import ApiError, Cause, invalid, shown
from rollouts.sandbox.apiserver.ownership import Writer
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.schema import pruned
from rollouts.sandbox.apiserver.unknown_fields import pruned_metadata, pruned_of_unknown


def writer_of(call: Call, warnings: list[str] | None = None) -> Writer:
    """Return who makes a call; `warnings` is what there is to tell them already."""
    return Writer(call.manager, dry_run=call.dry_run, warnings=warnings or [])


def named(call: Call, body: Any) -> JSON:
    """
    Return the body as an object of the call's kind, in the call's namespace.

    Raises:
        ApiError: 400, it is an object of another kind, version or namespace.
    """
    kind, target = call.resource.kind, call.target
    if not isinstance(body, dict):
        raise ApiError(400, "the body of the request is no object")
    version = body.get("apiVersion") or kind.api_version
    if version != kind.api_version or (body.get("kind") or kind.name) != kind.name:
        raise ApiError(
            400,
            f"the API version in the data ({version}, Kind={body.get('kind')}) does not match the "
            f"expected API version ({kind.api_version}, Kind={kind.name})",
        )
    if not isinstance(body.get("metadata") or {}, dict):
        raise ApiError(
            400, "json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta"
        )
    meta = dict(body.get("metadata") or {})
    if call.resource.namespaced:
        if (meta.get("namespace") or target.namespace) != target.namespace:
            raise ApiError(
                400,
                "the namespace of the provided object does not match the namespace sent on the request",
            )
        meta["namespace"] = target.namespace
    return body | {"metadata": meta}


def check_name(call: Call, name: Any) -> None:
    """Raise 400 when an object has another name than the call's path."""
    if name != call.target.name:
        wanted = call.target.name
        why = f"the name of the object ({name}) does not match the name on the URL ({wanted})"
        raise ApiError(400, why)


def checked_fields(call: Call, obj: JSON, *, patched: bool = False) -> list[str]:
    """
    Take out of `obj`, in place, what its kind has no field for; return a warning for each.

    Raises:
        ApiError: with fieldValidation=Strict; 400, or 422 when `obj` is what a patch made.
    """
    kind, mode = call.resource.kind, _validation_of(call)
    before = shown(obj) if mode == "Strict" else ""
    if call.resource.custom is None:
        unknown = pruned_of_unknown(kind, obj)
    else:
        unknown = pruned_metadata(obj) + pruned(obj, call.resource.custom.schema)
    texts = [f'unknown field "{path}"' for path in unknown]
    if not texts or mode == "Warn":
        return texts
    if mode == "Ignore":
        return []
    error = f"strict decoding error: {', '.join(texts)}"
    if patched:
        raise unfit(before, error)
    raise ApiError(
        400, f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {error}'
    )


def unfit(obj: str, why: str) -> ApiError:
    """Return the 422 for what a patch has made of an object, as JSON."""
    return invalid("", "", "", [Cause("patch", f"Invalid value: {shown(obj)}: {why}")])


def _validation_of(call: Call) -> str:
    mode, known = call.asks("fieldValidation"), ("", "Ignore", "Strict", "Warn")
    if mode not in known:
        listed = ", ".join(map(shown, known))
        message = f"Unsupported value: {shown(mode)}: supported values: {listed}"
        cause = Cause("fieldValidation", message, "FieldValueNotSupported")
        raise invalid(f"{call.verb.title()}Options", "meta.k8s.io", "", [cause])
    return mode or "Warn"
