"""
What is wrong in files: in each document by itself, and between the objects in all of them.

What holds between objects is found by the checks of preflight, over a snapshot of the documents.
An object that is not in the files may still be in the cluster: what rests on its absence is not
said, but for a name that looks like a slip of the pen.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rollouts.cli.lint.documents import Document, read
from rollouts.cli.lint.located import Located, Position
from rollouts.cli.lint.spec import spec_findings
from rollouts.controller.examination import examine
from rollouts.controller.preflight.snapshot import Snapshot
from rollouts.errors import InvalidSpec
from rollouts.model.finding import Finding
from rollouts.model.kinds import CRD, GROUP, JSON, ROLLOUT, VERSION, FrozenJSON, Ref
from rollouts.model.spec import RolloutSpec
from rollouts.model.validation import parse_rollout

_NAMESPACE = "default"
"""Where an object goes that names none."""
_SHAPES = (AttributeError, KeyError, TypeError, ValueError)
"""What it ends in to read an object that no API server would take."""
_CERTAIN = ("SelectsNoPods", "NoSelector")
"""Errors in files, where both objects are as they will be; in a cluster one of them may be on its way."""


def findings_in(texts: dict[str, str], *, alone: bool = False) -> list[Located]:
    """
    Return what is found in these files (text by name), in their order.

    `alone`: of each document only what is wrong in it by itself.
    """
    documents: list[Document] = []
    found: list[Located] = []
    names = {file: "<stdin>" if file == "-" else file for file in texts}
    for file, text in texts.items():
        read_here, faults = read(text, names[file])
        documents += read_here
        found += faults
        if not read_here and not faults:
            nothing = Finding("note", "", "the file has no YAML document")
            found.append(Located(names[file], Position(), nothing))
    snapshot = None if alone else _snapshot(documents)
    for document in documents:
        found += (document.locate(each) for each in _of_document(document, snapshot))
    order = {name: index for index, name in enumerate(names.values())}
    found.sort(key=lambda each: (order[each.place], each.position or Position()))
    return found


def _of_document(document: Document, snapshot: Snapshot | None) -> Iterator[Finding]:
    content = document.content
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        yield Finding("error", "", "is missing: this is no Kubernetes object", "kind")
    elif content["kind"] != ROLLOUT.name or _is_foreign(content.get("apiVersion")):
        yield _unchecked(content)
    else:
        head = list(_head(content))
        yield from head
        try:
            spec = parse_rollout(content)
        except InvalidSpec as invalid:
            yield from (Finding("error", "", each.reason, each.field) for each in invalid.errors)
        else:
            if snapshot is not None and not any(each.field == _NAME for each in head):
                yield from _surroundings(snapshot, content, spec)
            yield from spec_findings(spec)


def _unchecked(content: JSON) -> Finding:
    """Return what is said of an object that is not checked by itself."""
    what = f"{content.get('apiVersion')} {content['kind']}"
    if content["kind"] == ROLLOUT.name and str(content["apiVersion"]).startswith("argoproj.io/"):
        text = f"this is a Rollout of Argo Rollouts, which is not checked; this program's is {GROUP}/{VERSION}"
        return Finding("warning", "", text, "apiVersion")
    if _is_nearly_ours(content):
        return Finding("warning", "", f"{what} is not checked; did you mean Rollout?", "kind")
    return Finding("note", "", f"{what} is not checked by itself", "kind")


def _is_nearly_ours(content: JSON) -> bool:
    """Return whether a kind is a slip of the pen away from Rollout."""
    kind = str(content["kind"])
    return kind != "Rollout" and bool(difflib.get_close_matches(kind.lower(), ["rollout"], 1, 0.85))


def _is_foreign(api_version: object) -> bool:
    """Return whether a Rollout is somebody else's, such as Argo's."""
    return (
        isinstance(api_version, str)
        and "/" in api_version
        and api_version.split("/")[0] != GROUP
        and not api_version.startswith("rollout")
    )


_NAME = "metadata.name"


def _head(content: JSON) -> Iterator[Finding]:
    """Yield what is wrong outside the spec."""
    wanted = f"{GROUP}/{VERSION}"
    if content.get("apiVersion") != wanted:
        text = f"expected {wanted}, got {content.get('apiVersion')!r}"
        yield Finding("error", "", text, "apiVersion")
    known = ("apiVersion", "kind", "metadata", "spec", "status")
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            yield Finding("error", "", f"unknown field; {hint}", str(key))
    metadata = content.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        yield Finding("error", "", "is missing or is not text; give the object a name", _NAME)


def _snapshot(documents: Sequence[Document]) -> Snapshot:
    """Return the documents' objects as a cluster that has more than these."""
    snapshot = Snapshot(partial=True)
    for document in documents:
        snapshot.apply(document.content, _NAMESPACE)
    return snapshot


def _surroundings(snapshot: Snapshot, content: FrozenJSON, spec: RolloutSpec) -> Iterator[Finding]:
    """Yield what is found between a Rollout, whose spec was accepted, and the other objects."""
    metadata = content["metadata"]
    rollout = snapshot.get(Ref(ROLLOUT, metadata.get("namespace") or _NAMESPACE, metadata["name"]))
    if rollout is None:
        return
    try:
        found = examine(snapshot, rollout, spec)
    except _SHAPES:
        yield Finding("error", "", _of_no_form(snapshot, rollout, spec), _NAME)
        return
    for each in found:
        if each.absent is not None:
            yield from _absent(snapshot, each, each.absent)
        elif snapshot.knows_all(each.rests_on):
            certain = each.reason in _CERTAIN
            yield replace(each, severity="error") if certain else each


def _of_no_form(snapshot: Snapshot, rollout: FrozenJSON, spec: RolloutSpec) -> str:
    """Return which object can't be read: the one without which all the others can."""
    for ref in snapshot.refs():
        if ref.kind == CRD:  # without it those of its kind would not be read
            continue
        try:
            examine(snapshot.without(ref), rollout, spec)
        except _SHAPES:
            continue
        return (
            f"{ref.kind} {ref.name} in these files does not have the form which an API server takes"
        )
    return "it refers to objects in these files that do not have the form which an API server takes"


def _absent(snapshot: Snapshot, found: Finding, ref: Ref) -> Iterable[Finding]:
    """Return a warning where the name looks like a slip, else a note; nothing without others of its kind."""
    known = [each["metadata"]["name"] for each in snapshot.select(ref.kind, ref.namespace)]
    near = difflib.get_close_matches(ref.name, known, n=1)
    if near:
        text = f"there is no {ref.kind} {ref.name} in these files; did you mean {near[0]}?"
        return [replace(found, severity="warning", message=text)]
    text = f"{ref.kind} {ref.name} is not in these files; it has to be in the cluster"
    return [replace(found, severity="note", message=text)] if known else []
