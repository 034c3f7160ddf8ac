"""
Pod templates: what a role puts into them, and which of them are the same revision.

Pure functions on JSON. Nothing here knows a release.
"""

from rollouts.core.template.anti_affinity import with_anti_affinity, without_anti_affinity
from rollouts.core.template.identity import (
    canonical_hash,
    canonical_template,
    identify,
    images,
    known_hash,
    template_hash,
)
from rollouts.core.template.role_metadata import (
    AppliedMetadata,
    RoleMetadata,
    applied_metadata,
    metadata_patch,
    user_template,
    with_metadata,
)

__all__ = [
    "AppliedMetadata",
    "RoleMetadata",
    "applied_metadata",
    "canonical_hash",
    "canonical_template",
    "identify",
    "images",
    "known_hash",
    "metadata_patch",
    "template_hash",
    "user_template",
    "with_anti_affinity",
    "with_metadata",
    "without_anti_affinity",
]
