"""
Labels and annotations that pods have for as long as their revision has a role.

They are put into the metadata of the ReplicaSet's template, which restarts nothing, and into
that of living pods. What was put there is recorded on the ReplicaSet, together with what was
there before, so that it can be taken out again: for another role, or to compare templates.
Pure; says what to write and writes nothing.
"""

import base64
import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rollouts.core.template.anti_affinity import without_anti_affinity
from rollouts.model.kinds import (
    HASH_LABEL,
    JSON,
    ROLE_METADATA,
    ROLLOUT_LABEL,
    STABLE_LABEL,
    FrozenJSON,
)

Words = Mapping[str, str]
Part = Literal["labels", "annotations"]
_OURS = (HASH_LABEL, ROLLOUT_LABEL, STABLE_LABEL)
_PARTS: tuple[Part, ...] = ("labels", "annotations")


@dataclass(frozen=True, slots=True)
class RoleMetadata:
    """What a role gives to a pod."""

    labels: Words = field(default_factory=dict)
    annotations: Words = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """A digest that tells one from another; empty for none."""
        if not self.labels and not self.annotations:
            return ""
        canonical = json.dumps([self.labels, self.annotations], sort_keys=True)
        digest = hashlib.sha256(canonical.encode()).digest()
        return base64.b32encode(digest).decode()[:10].lower()

    def part(self, part: Part) -> Words:
        """Return its labels, or its annotations."""
        return self.labels if part == "labels" else self.annotations


@dataclass(frozen=True, slots=True)
class AppliedMetadata:
    """
    What a role has put into a ReplicaSet's template.

    `before` says of each label and annotation that any role ever put there what the template
    itself has in its place, None being nothing: a pod may still have something of old.
    """

    role: RoleMetadata = field(default_factory=RoleMetadata)
    before: Mapping[Part, Mapping[str, str | None]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The record, as it is written on the ReplicaSet."""
        facts = {part: dict(self.role.part(part)) for part in _PARTS}
        return json.dumps({**facts, "before": self.before}, sort_keys=True, separators=(",", ":"))

    def patch(self) -> JSON:
        """Return the merge patch for the metadata of a template, or a pod, that is to have it."""
        patch: JSON = {}
        for part in _PARTS:
            changes = {**self.before.get(part, {}), **self.role.part(part)}
            if changes:
                patch[part] = changes
        patch.setdefault("labels", {})[ROLE_METADATA] = self.role.mark or None
        return patch


def applied_metadata(replica_set: FrozenJSON) -> AppliedMetadata:
    """Return what the record on a ReplicaSet says; one that can't be read is none."""
    text = (replica_set["metadata"].get("annotations") or {}).get(ROLE_METADATA)
    try:
        facts = json.loads(text or "{}")
        role = RoleMetadata(*({**facts.get(part, {})} for part in _PARTS))
        before = facts.get("before", {})
        return AppliedMetadata(role, {part: {**before[part]} for part in _PARTS if part in before})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return AppliedMetadata()


def applied_after(
    template: FrozenJSON, present: AppliedMetadata, role: RoleMetadata
) -> AppliedMetadata:
    """Return what a template has of a role, once it is given that of another."""
    metadata = template.get("metadata") or {}
    before: dict[Part, Mapping[str, str | None]] = {}
    for part in _PARTS:
        own = metadata.get(part) or {}
        known = present.before.get(part, {})
        remembered = {**{key: own.get(key) for key in role.part(part)}, **known}
        if remembered:
            before[part] = remembered
    return AppliedMetadata(role, before)


def metadata_patch(replica_set: FrozenJSON, role: RoleMetadata, rollout: str) -> JSON:
    """
    Return the merge patch that makes a ReplicaSet's next pods have `role`, and records it.

    They get the label of their Rollout too, if the ReplicaSet is older than that.
    """
    template = (replica_set.get("spec") or {}).get("template") or {}
    present = applied_metadata(replica_set)
    after = applied_after(template, present, role)
    patch = after.patch()
    patch["labels"][ROLLOUT_LABEL] = rollout
    result: JSON = {"spec": {"template": {"metadata": patch}}}
    if after != present:
        result["metadata"] = {"annotations": {ROLE_METADATA: after.text}}
    return result


def with_metadata(replica_set: JSON, role: RoleMetadata) -> JSON:
    """Return a ReplicaSet that is yet to be made, with `role` in its template and on record."""
    if not role.mark:
        return replica_set
    result = copy.deepcopy(replica_set)
    after = applied_after(result["spec"]["template"], AppliedMetadata(), role)
    result["metadata"].setdefault("annotations", {})[ROLE_METADATA] = after.text
    _apply_patch(result["spec"]["template"], after.patch())
    return result


def user_template(replica_set: FrozenJSON) -> JSON:
    """Return a ReplicaSet's template as the user wrote it: without anything that we put into it."""
    present = applied_metadata(replica_set)
    template = without_anti_affinity((replica_set.get("spec") or {}).get("template") or {})
    _apply_patch(template, AppliedMetadata(RoleMetadata(), present.before).patch())
    _apply_patch(template, {"labels": dict.fromkeys(_OURS)})
    return template


def _apply_patch(template: JSON, patch: JSON) -> None:
    """Carry out a patch of a template's metadata in place; what becomes empty goes."""
    metadata = template.get("metadata") or {}
    template["metadata"] = metadata
    for part, changes in patch.items():
        found = {**(metadata.get(part) or {}), **changes}
        metadata[part] = {key: value for key, value in found.items() if value is not None}
        if not metadata[part]:
            del metadata[part]
