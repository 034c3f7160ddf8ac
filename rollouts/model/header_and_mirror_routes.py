"""What a step may ask of the routers besides a weight: header and mirror routes, and what these match."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from rollouts.model.base import SpecModel, Weight, exactly_one, one_of, rule

RouteName = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
HeaderName = Annotated[
    str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
]
_KINDS_OF_MATCH = ("exact", "prefix", "regex")


class StringMatch(SpecModel):
    """How a text is compared; exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    exactly_one(*_KINDS_OF_MATCH),
                    one_of(*_KINDS_OF_MATCH),
                ),
            ]
        }
    )

    exact: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    prefix: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    regex: Annotated[str, Field(min_length=1, max_length=4096)] | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if sum(part is not None for part in (self.exact, self.prefix, self.regex)) != 1:
            raise ValueError(one_of(*_KINDS_OF_MATCH))
        return self


class HeaderMatch(SpecModel):
    """One header that a request must have."""

    header_name: HeaderName
    header_value: StringMatch


class SetHeaderRoute(SpecModel):
    """Send every request with these headers to the canary; without `match`, no longer."""

    name: RouteName
    """What to call it; a later step with this name changes or ends it."""
    match: Annotated[list[HeaderMatch], Field(max_length=16)] = Field(default_factory=list)
    """All of them have to match."""


class RequestMatch(SpecModel):
    """What a request must be like to be mirrored; all that is given has to match."""

    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: Annotated[dict[str, StringMatch], Field(max_length=16)] = Field(default_factory=dict)


class SetMirrorRoute(SpecModel):
    """
    Send a copy of requests to the canary, and throw its answers away.

    With neither `percentage` nor `match`, no longer.
    """

    name: RouteName
    """What to call it; a later step with this name changes or ends it."""
    percentage: Weight | None = None
    """How many of the requests are copied; all of them by default."""
    match: Annotated[list[RequestMatch], Field(max_length=8)] = Field(default_factory=list)
    """A request that is like one of these is copied; by default every request."""
