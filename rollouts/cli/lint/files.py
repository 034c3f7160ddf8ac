"""
What is wrong in files: in each document by itself, and between the objects in all of them.

One mistake does not hide the others: what can be read is checked without what can't.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from rollouts.cli.lint.documents import Document, read
from rollouts.cli.lint.file_preflight import FilePreflight
from rollouts.cli.lint.located_finding import LocatedFinding, Position
from rollouts.cli.lint.spec import spec_findings
from rollouts.cli.lint.spelling import did_you_mean
from rollouts.cli.lint.valid_part import errors_in, valid_part
from rollouts.controller.preflight.snapshot import KINDS
from rollouts.model.finding import Finding
from rollouts.model.kinds import GROUP, JSON, RELEASE_RECORD, ROLLOUT, VERSION
from rollouts.model.merge_patch import without_nulls
from rollouts.model.unchecked_json import mapping

_MOST_NAMES = 5
_ARGO = "argoproj.io"
METADATA = (
    *("name", "namespace", "labels", "annotations", "generateName", "finalizers"),
    *("ownerReferences", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"),
)
"""The fields that the metadata of any object may have."""
_LINTED_KINDS = {(kind.group, kind.name) for kind in KINDS}
"""The kinds that are checked together with a Rollout."""


def findings_in(texts: dict[str, str], *, alone: bool = False) -> list[LocatedFinding]:
    """
    Return what is found in these files (text by name), in their order.

    `alone`: of each document only what is wrong in it by itself.
    """
    documents: list[Document] = []
    found: list[LocatedFinding] = []
    names = {file: "<stdin>" if file == "-" else file for file in texts}
    for file, text in texts.items():
        read_here, faults = read(text, names[file])
        documents += read_here
        found += faults
        if not read_here and not faults:
            nothing = Finding("note", "", "the file has no YAML document")
            found.append(LocatedFinding(names[file], Position(), nothing))
    told = any(each.finding.severity == "error" for each in found)
    if not (alone or told or any(map(_is_checked, documents))):
        unseen = f"there is no Rollout of {GROUP} in what was given: nothing was checked"
        found.append(
            LocatedFinding(next(iter(names.values()), ""), Position(), Finding("error", "", unseen))
        )
    preflight = None if alone else FilePreflight(documents)
    for document in documents:
        found += (document.locate(each) for each in _of_document(document, preflight))
    found += preflight.malformed() if preflight is not None else ()
    order = {name: index for index, name in enumerate(names.values())}
    found.sort(key=lambda each: (order[each.place], each.position or Position()))
    return found


def _is_checked(document: Document) -> bool:
    """Return whether something is said of a document beside that it is not checked."""
    content = document.content
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        return True
    group, kind = _kind_of(content)
    is_ours = kind == ROLLOUT.name and not _is_foreign(content.get("apiVersion"))
    return is_ours or (group in (GROUP, _ARGO) and kind != RELEASE_RECORD.name)


def _of_document(document: Document, preflight: FilePreflight | None) -> Iterator[Finding]:
    content = document.content
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        yield Finding(
            "error", "", "is missing: this is no Kubernetes object; add apiVersion and kind", "kind"
        )
    elif content["kind"] != ROLLOUT.name or _is_foreign(content.get("apiVersion")):
        yield _unchecked(content)
        if _kind_of(content) in _LINTED_KINDS:
            yield from _metadata(content)
    else:
        yield from _head(content)
        yield from _metadata(content)
        yield from _unknown(mapping(content.get("metadata")), METADATA, "metadata.")
        yield from _of_rollout(without_nulls(content), preflight)


def _of_rollout(content: JSON, preflight: FilePreflight | None) -> Iterator[Finding]:
    yield from errors_in(content)
    part = valid_part(content)
    if part is not None:
        around = preflight.findings(part) if preflight is not None else ()
        found = (*around, *spec_findings(part.spec))
        yield from (each for each in found if part.speaks_of(each.field))


def _unchecked(content: JSON) -> Finding:
    """Return what is said of an object that is not checked by itself."""
    what = f"{content.get('apiVersion')} {content['kind']}"
    if content["kind"] == ROLLOUT.name and _kind_of(content)[0] == _ARGO:
        text = f"this is a Rollout of Argo Rollouts, which is not checked; this program's is {GROUP}/{VERSION}"
        return Finding("error", "", text, "apiVersion")
    if _kind_of(content) == (GROUP, RELEASE_RECORD.name):
        text = f"{what} is not checked: the controller writes it"
        return Finding("note", "", text, "kind")
    if _kind_of(content)[0] == GROUP:
        text = f"{GROUP} has no kind {content['kind']}; did you mean {ROLLOUT.name}?"
        return Finding("error", "", text, "kind")
    if _is_nearly_ours(content):
        return Finding("warning", "", f"{what} is not checked; did you mean Rollout?", "kind")
    return Finding("note", "", f"{what} is not checked by itself", "kind")


def _kind_of(content: JSON) -> tuple[str, str]:
    return str(content.get("apiVersion") or "").rpartition("/")[0], str(content["kind"])


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


def _head(content: JSON) -> Iterator[Finding]:
    """Yield what is wrong outside the spec."""
    wanted = f"{GROUP}/{VERSION}"
    if content.get("apiVersion") != wanted:
        text = f"expected {wanted}, got {content.get('apiVersion')!r}"
        yield Finding("error", "", text, "apiVersion")
    yield from _unknown(content, ("apiVersion", "kind", "metadata", "spec", "status"))


def _unknown(
    content: Mapping[str, object], known: Sequence[str], path: str = ""
) -> Iterator[Finding]:
    for key in content:
        if key not in known:
            others = ", …" if len(known) > _MOST_NAMES else ""
            usual = f"known are {', '.join(known[:_MOST_NAMES])}{others}"
            hint = did_you_mean(str(key), known) or usual
            yield Finding("error", "", f"unknown field; {hint}", f"{path}{key}")


def _metadata(content: JSON) -> Iterator[Finding]:
    """Yield why an object can't be told by its name."""
    metadata = mapping(content.get("metadata"))
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if (not isinstance(name, str) or not name) and not metadata.get("generateName"):
        text = "is missing or is not text; give the object a name"
        yield Finding("error", "", text, "metadata.name")
    if namespace is not None and not isinstance(namespace, str):
        text = f"is {namespace!r}, which is not text; put it in quotes"
        yield Finding("error", "", text, "metadata.namespace")
