"""The two ground models: one for what users write, one for what the controller writes."""

from typing import Annotated, Any, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from rollouts.model.moments import format_time


def rule(expression: str, message: str) -> JsonValue:
    """Return one CEL validation rule of a CRD schema."""
    return {"rule": expression, "message": message}


def exactly_one(*names: str) -> str:
    """Return the CEL expression that says: one of these fields is set, and no more."""
    present = ", ".join(f"has(self.{name})" for name in names)
    return f"[{present}].filter(x, x).size() == 1"


def one_of(*names: str) -> str:
    """Return the sentence that goes with `exactly_one`."""
    return f"set exactly one of {', '.join(names[:-1])} and {names[-1]}"


class SpecModel(BaseModel):
    """
    What a user writes: frozen, camelCase in YAML, and unknown fields are errors.

    Strict, as an API server is: a number in quotes is no number.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
    )


class StatusModel(BaseModel):
    """What the controller writes into status: frozen, and tolerant of fields of later versions."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
    )

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with these fields changed; the same object where that changes none."""
        known = self.__dict__
        if all(known[name] is value for name, value in changes.items()):
            return self
        return self.model_copy(update=changes)


Timestamp = Annotated[
    AwareDatetime,
    PlainSerializer(format_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Weight = Annotated[int, Field(ge=0, le=100)]
"""Percent of the traffic, a whole number 0..100."""
Name = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
ServiceName = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
]
"""What an API server takes as the name of a Service: a label of the DNS that begins with a letter."""
LONGEST_ROLLOUT_NAME = 52
"""With a revision's hash behind it a name is a label's value still, which has 63 characters."""
