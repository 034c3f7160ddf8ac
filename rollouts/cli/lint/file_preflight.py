"""
What is found between a Rollout of some files and the other objects in them, by the checks of preflight.

An object that is not in the files may still be in the cluster: what rests on its absence is not
said, but for a name that looks like a slip of the pen. One that can't be read is named and left
out, and the others are checked without it.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rollouts.cli.lint.documents import Document
from rollouts.cli.lint.located_finding import LocatedFinding
from rollouts.cli.lint.valid_part import ValidPart
from rollouts.controller.preflight.snapshot import ClusterSnapshot
from rollouts.controller.snapshot_preflight import snapshot_findings
from rollouts.model.finding import Finding
from rollouts.model.kinds import CRD, JSON, ROLLOUT, FrozenJSON, Ref
from rollouts.model.spec import RolloutSpec

_NAMESPACE = "default"
"""Where an object goes that names none."""
_SHAPES = (AttributeError, KeyError, TypeError, ValueError)
"""What it ends in to read an object that no API server would take."""
_CERTAIN = ("SelectsNoPods", "NoSelector", "TargetPortUnknown")
"""Errors in files, where both objects are as they will be; in a cluster one of them may be on its way."""


class FilePreflight:
    """The objects of some files, as a cluster that has more than these."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._cluster = ClusterSnapshot(partial=True)
        self._documents: dict[Ref, Document] = {}
        self._malformed: list[Ref] = []
        for document in documents:
            ref = self._cluster.apply(document.content, _NAMESPACE)
            if ref is not None:
                self._documents[ref] = document

    def findings(self, part: ValidPart) -> Iterator[Finding]:
        """Yield what is found between a Rollout and the other objects of the files."""
        own = self._cluster.without(*self._malformed)
        ref = own.apply(part.rollout, _NAMESPACE)
        if ref is None:
            return
        found, malformed = preflight_findings(own, ref, part.spec)
        self._malformed += malformed
        for finding in found:
            if finding.absent is not None and finding.absent not in self._malformed:
                yield from _absent(own, finding, finding.absent)
            elif finding.absent is None and own.knows_all(finding.rests_on):
                certain = finding.reason in _CERTAIN
                yield replace(finding, severity="error") if certain else finding

    def malformed(self) -> Iterator[LocatedFinding]:
        """Yield the objects that could not be read by `findings`, each once and where it stands."""
        for ref in self._malformed:
            if ref.kind != ROLLOUT:  # of which all is said already
                yield self._documents[ref].locate(malformed_object(ref))


def preflight_findings(
    cluster: ClusterSnapshot, ref: Ref, spec: RolloutSpec
) -> tuple[list[Finding], list[Ref]]:
    """
    Return what preflight finds around a Rollout of the cluster, and the objects that can't be read.

    What is found is found without these, and if need be without metadata and status of the Rollout.
    """
    malformed = _malformed(cluster, ref, spec)
    if malformed is not None:
        return _findings(cluster.without(*malformed), ref, spec) or [], malformed
    rollout = cluster.get(ref)
    if rollout is None:
        return [], []
    bare = cluster.without(ref)
    bare.add(ROLLOUT, [_bare(rollout)])
    malformed = _malformed(bare, ref, spec) or []
    text = "metadata or status is malformed, and an API server would refuse it; correct it"
    found = _findings(bare.without(*malformed), ref, spec) or []
    return [Finding("error", "", text, "metadata"), *found], malformed


def malformed_object(ref: Ref) -> Finding:
    """Return what is said of an object that can't be read."""
    text = f"{ref.kind} {ref.name} is malformed, and an API server would refuse it; correct it"
    return Finding("error", "", text)


def _bare(rollout: FrozenJSON) -> JSON:
    """Return a Rollout with its name and spec alone."""
    kept = {key: value for key, value in rollout.items() if key != "status"}
    names = {key: rollout["metadata"].get(key) for key in ("name", "namespace", "uid")}
    return {**kept, "metadata": names}


def _findings(cluster: ClusterSnapshot, ref: Ref, spec: RolloutSpec) -> list[Finding] | None:
    """Return what preflight finds, or None when it meets what it can't read."""
    rollout = cluster.get(ref)
    try:
        return None if rollout is None else snapshot_findings(cluster, rollout, spec)
    except _SHAPES:
        return None


def _malformed(cluster: ClusterSnapshot, ref: Ref, spec: RolloutSpec) -> list[Ref] | None:
    """Return the objects without which all the others can be read; None when it is none of theirs."""

    def is_readable(*left_out: Ref) -> bool:
        return _findings(cluster.without(*left_out), ref, spec) is not None

    # Without their definitions those of a kind would not be read.
    others = [each for each in cluster.refs() if each != ref and each.kind != CRD]
    found: list[Ref] = []
    while not is_readable(*found):
        if not is_readable(*others):
            return None
        readable, unreadable = 0, len(others)  # so many of them, the first ones, can be read or not
        while unreadable - readable > 1:
            middle = (readable + unreadable) // 2
            if is_readable(*found, *others[middle:]):
                readable = middle
            else:
                unreadable = middle
        found.append(others[readable])
    return found


def _absent(snapshot: ClusterSnapshot, found: Finding, ref: Ref) -> Iterable[Finding]:
    """Return a warning where the name looks like a slip, else a note; nothing without others of its kind."""
    known = [each["metadata"]["name"] for each in snapshot.select(ref.kind, ref.namespace)]
    near = difflib.get_close_matches(ref.name, known, n=1)
    if near:
        text = f"there is no {ref.kind} {ref.name} in these files; did you mean {near[0]}?"
        return [replace(found, severity="warning", message=text)]
    text = f"{ref.kind} {ref.name} is not in these files; it has to be in the cluster"
    return [replace(found, severity="note", message=text)] if known else []
