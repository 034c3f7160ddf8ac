"""Quantities are read and written as an API server does it."""

from fractions import Fraction

import pytest

from rollouts.model.quantities import is_quantity, parse_quantity, quantity_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250m", Fraction(1, 4)),
        ("1", 1),
        (3, 3),
        (0.25, Fraction(1, 4)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("1.", 1),
        ("+2Ki", 2048),
        ("5M", 5_000_000),
        ("10n", Fraction(1, 10**8)),
        ("7u", Fraction(7, 10**6)),
        ("1E", 10**18),
        ("1E3", 1000),
        ("1e-3", Fraction(1, 1000)),
        ("-1", -1),
    ],
)
def test_a_quantity_is_a_number_with_a_suffix(text: object, value: Fraction) -> None:
    assert is_quantity(text)
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["many", "", "1ki", "1 Gi", "1x", "m", ".", "٣", "1\n", None, True]
)
def test_what_is_no_quantity(text: object) -> None:
    assert not is_quantity(text)
    assert parse_quantity(text) is None


@pytest.mark.parametrize("text", ["1e999999999", "9" * 100_000, "1" + "0" * 64])
def test_what_nobody_has_is_not_worked_out(text: str) -> None:
    assert is_quantity(text), "an API server takes it, and cuts it down"
    assert parse_quantity(text) is None


@pytest.mark.parametrize(("value", "text"), [(0.25, "250m"), (3.0, "3"), (0.0001, "1m"), (0, "0")])
def test_quantities_are_written(value: float, text: str) -> None:
    assert quantity_of(value) == text
    assert is_quantity(text)
