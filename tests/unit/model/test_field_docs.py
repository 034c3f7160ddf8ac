from rollouts.model.base import StatusModel
from rollouts.model.field_docs import field_docs


class Base(StatusModel):
    first: int = 1
    """Said above, and again below."""
    second: int = 2
    """
    Only said above,
    on two lines.
    """


class Model(Base):
    first: int = 1
    """Said below."""
    third: int = 3


def test_what_is_said_below_a_field_or_an_inherited_one_is_found() -> None:
    assert field_docs(Model) == {
        "first": "Said below.",
        "second": "Only said above,\non two lines.",
    }
