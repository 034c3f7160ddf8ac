"""What was seen of so many requests: the cells of `docs/routers.md`, as they are kept."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Count(BaseModel):
    """`seen` of `of` requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seen: int
    of: int


class Seen(BaseModel):
    """What one data plane was seen to do; each a count of requests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    header: Count
    """With the header of a header route: answered by the canary."""
    no_header: Count
    """Without it, at weight 0: answered by the canary."""
    cookie: Count
    """With the cookie: answered by the canary."""
    mirror_copies: Count
    """By a route that mirrors: copied."""
    mirror_answers: Count
    """By a route that mirrors: answered by a pod."""
    mirror_confirmed: bool | None
    """Whether the status of a route that mirrors says Accepted and ResolvedRefs; an Ingress has none."""
    splits: Mapping[str, Count]
    """By weight in percent: answered by the canary."""
    another_route: Count
    """At the last weight, by a route to the same Service that the Rollout does not name: by the canary."""
    undisturbed: Count
    """At 5 %, few, with nothing changed in between: answered by the canary."""
    reloaded: Count
    """Likewise, when a route of somebody else changed after every few."""
    endings: Mapping[str, Count]
    """By how a release ended: lost."""
    late_seconds: float
    """How long the canary still answered when the Rollout had said that it has 0 %."""
