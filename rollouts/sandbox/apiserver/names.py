"""The syntax of names, labels and annotations, and what is said of a wrong one."""

import re
from collections.abc import Iterator, Sequence

from rollouts.model.kinds import FrozenJSON
from rollouts.sandbox.apiserver.errors import Cause, shown
from rollouts.sandbox.apiserver.objects import metadata

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN}')"
)
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    f"used for validation is '{_LABEL}')"
)
_LABEL_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    f"'abc-123', regex used for validation is '{_LABEL_1035}')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
    f"'my_value',  or '12345', regex used for validation is '{_VALUE}')"
)
_QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
    f"for validation is '{_QUALIFIED}')"
)

_MOST_BYTES = 262144
"""Of all annotations of an object together."""
_BY_KIND = {"Service": "label 1035", "Namespace": "label"}
_FREE = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


def _cause(field: str, value: object, words: str) -> Cause:
    return Cause(field, f"Invalid value: {shown(value)}: {words}")


def _limited(field: str, name: str, pattern: str, words: str, longest: int) -> Iterator[Cause]:
    if len(name) > longest:
        yield _cause(field, name, f"must be no more than {longest} characters")
    if not re.fullmatch(pattern, name):
        yield _cause(field, name, words)


def subdomain(field: str, name: str) -> Iterator[Cause]:
    return _limited(field, name, _SUBDOMAIN, _SUBDOMAIN_WORDS, 253)


def label(field: str, name: str) -> Iterator[Cause]:
    return _limited(field, name, _LABEL, _LABEL_WORDS, 63)


def label_1035(field: str, name: str) -> Iterator[Cause]:
    return _limited(field, name, _LABEL_1035, _LABEL_1035_WORDS, 63)


def label_map(field: str, labels: object) -> Iterator[Cause]:
    """Yield what is wrong with a map of labels."""
    if not isinstance(labels, dict):
        return
    for key, value in labels.items():
        yield from qualified_name(field, key)
        if not isinstance(value, str) or len(value) > 63 or not re.fullmatch(_VALUE, value):
            yield _cause(field, value, _VALUE_WORDS)


def qualified_name(field: str, key: str) -> Iterator[Cause]:
    """Yield what is wrong with a label's or annotation's key."""
    prefix, slash, name = key.rpartition("/")
    if slash:
        yield from subdomain(field, prefix)
    if len(name) > 63 or not re.fullmatch(_QUALIFIED, name):
        yield _cause(field, key, _QUALIFIED_WORDS)


def metadata_causes(obj: FrozenJSON) -> Iterator[Cause]:
    """Yield what is wrong with an object's name, labels and annotations."""
    meta = metadata(obj)
    name, kind = meta["name"], obj["kind"]
    if _BY_KIND.get(kind) == "label 1035":
        yield from label_1035("metadata.name", name)
    elif _BY_KIND.get(kind) == "label":
        yield from label("metadata.name", name)
    elif kind not in _FREE:
        yield from subdomain("metadata.name", name)
    yield from label_map("metadata.labels", meta.get("labels"))
    annotations = meta.get("annotations") or {}
    if sum(len(key) + len(str(value).encode()) for key, value in annotations.items()) > _MOST_BYTES:
        message = f"Too long: may not be more than {_MOST_BYTES} bytes"
        yield Cause("metadata.annotations", message, "FieldValueTooLong")
    for key, value in annotations.items():
        yield from qualified_name("metadata.annotations", key.lower())
        if not isinstance(value, str):
            yield _cause(f"metadata.annotations.{key}", value, "must be a string")
    for reference in meta.get("ownerReferences") or ():
        for field in ("apiVersion", "kind", "name", "uid"):
            if not reference.get(field):
                what = "version " if field == "apiVersion" else ""
                where = f"metadata.ownerReferences.{field}"
                yield _cause(where, "", f"{what}must not be empty")
    yield from _second_controllers(meta.get("ownerReferences") or ())


def _second_controllers(references: Sequence[FrozenJSON]) -> Iterator[Cause]:
    named = [
        f"{each.get('kind')}/{each.get('name')}" for each in references if each.get("controller")
    ]
    for other in named[1:]:
        why = (
            'Only one reference can have Controller set to true. Found "true" in references for'
            f" {named[0]} and {other}"
        )
        yield _cause("metadata.ownerReferences", list(references), why)


def late_finalizers(obj: FrozenJSON, current: FrozenJSON) -> Iterator[Cause]:
    """Yield what is wrong with finalizers that are added to what is being deleted."""
    if "deletionTimestamp" not in metadata(current):
        return
    before = metadata(current).get("finalizers") or ()
    added = [name for name in metadata(obj).get("finalizers") or () if name not in before]
    if added:
        listed = ", ".join(map(shown, added))
        why = "no new finalizers can be added if the object is being deleted, found new finalizers"
        message = f"Forbidden: {why} []string{{{listed}}}"
        yield Cause("metadata.finalizers", message, "FieldValueForbidden")
