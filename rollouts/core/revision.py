"""What a revision is called: a hash that depends on the template alone."""

import base64
import hashlib
import json
from collections.abc import Iterable

from rollouts.model.kinds import FrozenJSON
from rollouts.model.status import Revision


def template_hash(template: FrozenJSON) -> str:
    """
    Return 10 characters of base32 of SHA-256 over the canonical JSON of `template`.

    Canonical: sorted keys, no spaces, UTF-8. No library's serialisation of models is
    involved, so an upgrade of any of them never starts a release.
    """
    canonical = json.dumps(template, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.b32encode(digest).decode()[:10].lower()


def images(template: FrozenJSON) -> tuple[str, ...]:
    """Return the images of the template's containers, in order."""
    containers = (template.get("spec") or {}).get("containers") or []
    return tuple(str(container.get("image", "")) for container in containers)


def next_number(numbers: Iterable[int]) -> int:
    """Return the number of a new revision, given those that exist."""
    return max(numbers, default=0) + 1


def describe(revision: Revision) -> str:
    """Return what people call it: `revision 4 (shop/checkout:1.4)`."""
    return f"revision {revision.number} ({', '.join(revision.images) or revision.hash})"
