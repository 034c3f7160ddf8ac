"""
What is found between a Rollout of some files and the other objects in them, by the checks of preflight.

An object that is not in the files may still be in the cluster: what rests on its absence is not
said, but for a name that looks like a slip of the pen. One that can't be read is named and left
out, and the others are checked without it.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rollouts.cli.lint.documents import Document
from rollouts.cli.lint.readable_part import ReadablePart
from rollouts.controller.examination import examine
from rollouts.controller.preflight.snapshot import Snapshot
from rollouts.model.finding import Finding
from rollouts.model.kinds import CRD, JSON, ROLLOUT, FrozenJSON, Ref
from rollouts.model.spec import RolloutSpec

_NAMESPACE = "default"
"""Where an object goes that names none."""
_SHAPES = (AttributeError, KeyError, TypeError, ValueError)
"""What it ends in to read an object that no API server would take."""
_CERTAIN = ("SelectsNoPods", "NoSelector")
"""Errors in files, where both objects are as they will be; in a cluster one of them may be on its way."""


def cluster_of(documents: Sequence[Document]) -> Snapshot:
    """Return the documents' objects as a cluster that has more than these."""
    snapshot = Snapshot(partial=True)
    for document in documents:
        snapshot.apply(document.content, _NAMESPACE)
    return snapshot


def neighbour_findings(cluster: Snapshot, part: ReadablePart) -> Iterator[Finding]:
    """Yield what is found between a Rollout and the other objects of the files."""
    own = cluster.without()
    ref = own.apply(part.rollout, _NAMESPACE)
    if ref is None:
        return
    for finding in around(own, ref, part.spec):
        if finding.absent is not None:
            yield from _absent(own, finding, finding.absent)
        elif own.knows_all(finding.rests_on):
            certain = finding.reason in _CERTAIN
            yield replace(finding, severity="error") if certain else finding


def around(cluster: Snapshot, ref: Ref, spec: RolloutSpec) -> list[Finding]:
    """
    Return what preflight finds around a Rollout of the cluster.

    An object that can't be read is a finding, and the others are looked at without it; so are
    metadata and status of the Rollout.
    """
    found = _readable_around(cluster, ref, spec)
    rollout = cluster.get(ref)
    if found is not None or rollout is None:
        return found or []
    bare = cluster.without(ref)
    bare.add(ROLLOUT, [_bare(rollout)])
    text = "metadata or status is malformed: an API server would refuse it"
    return [Finding("error", "", text, "metadata"), *(_readable_around(bare, ref, spec) or ())]


def _bare(rollout: FrozenJSON) -> JSON:
    """Return a Rollout with its name and spec alone."""
    kept = {key: value for key, value in rollout.items() if key != "status"}
    names = {key: rollout["metadata"].get(key) for key in ("name", "namespace", "uid")}
    return {**kept, "metadata": names}


def _readable_around(cluster: Snapshot, ref: Ref, spec: RolloutSpec) -> list[Finding] | None:
    """Return what is found without the objects that can't be read, and these; None when all is in vain."""
    found = _examined(cluster, ref, spec)
    if found is not None:
        return found
    unreadable = _unreadable(cluster, ref, spec)
    found = _examined(cluster.without(*unreadable), ref, spec)
    if found is None:
        return None
    known = [each for each in found if each.absent not in unreadable]
    return [*(_of_no_form(each) for each in unreadable), *known]


def _of_no_form(ref: Ref) -> Finding:
    text = f"{ref.kind} {ref.name} in these files is malformed: an API server would refuse it"
    return Finding("error", "", text, "metadata.name")


def _examined(cluster: Snapshot, ref: Ref, spec: RolloutSpec) -> list[Finding] | None:
    """Return what preflight finds, or None when it meets what it can't read."""
    rollout = cluster.get(ref)
    try:
        return None if rollout is None else examine(cluster, rollout, spec)
    except _SHAPES:
        return None


def _unreadable(cluster: Snapshot, ref: Ref, spec: RolloutSpec) -> list[Ref]:
    """Return the objects without which all the others can be read, and no more than have to go."""
    # Without their definitions those of a kind would not be read.
    left_out = [each for each in cluster.refs() if each != ref and each.kind != CRD]
    for each in tuple(left_out):
        fewer = [other for other in left_out if other != each]
        if _examined(cluster.without(*fewer), ref, spec) is not None:
            left_out = fewer
    return left_out


def _absent(snapshot: Snapshot, found: Finding, ref: Ref) -> Iterable[Finding]:
    """Return a warning where the name looks like a slip, else a note; nothing without others of its kind."""
    known = [each["metadata"]["name"] for each in snapshot.select(ref.kind, ref.namespace)]
    near = difflib.get_close_matches(ref.name, known, n=1)
    if near:
        text = f"there is no {ref.kind} {ref.name} in these files; did you mean {near[0]}?"
        return [replace(found, severity="warning", message=text)]
    text = f"{ref.kind} {ref.name} is not in these files; it has to be in the cluster"
    return [replace(found, severity="note", message=text)] if known else []
