"""Durations and percentages: what people may write, and that what is shown can be read again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.model.durations import LONGEST_SECONDS, format_duration, parse_duration
from rollouts.model.units import format_fraction, parse_fraction


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h2m3s4ms", 3723.004),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("0s", 0),
        ("90", 90),
        (90, 90),
        (0, 0),
        (5.0, 5),
        ("8760h", LONGEST_SECONDS),
    ],
)
def test_a_duration_is_read(written: Any, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "such as 90s"),
        ("5 minutes", "such as 90s"),
        ("30m1h", "such as 90s"),
        ("-5s", "such as 90s"),
        (" 5s", "such as 90s"),
        ("²", "such as 90s"),
        ("٣s", "such as 90s"),
        (True, "got True"),
        (None, "got None"),
        ({}, "got a map"),
        (0.5, "500ms"),
        (float("nan"), "whole seconds"),
        (float("inf"), "whole seconds"),
        (-1, "0 s to a year"),
        (10**400, "0 s to a year"),
        ("9" * 400, "0 s to a year"),
        ("8761h", "0 s to a year"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_way_out(written: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "fraction"),
    [("1%", 0.01), ("0.5 %", 0.005), ("100%", 1), (0.01, 0.01), (0, 0), (1, 1)],
)
def test_a_percentage_is_read(written: Any, fraction: float) -> None:
    assert parse_fraction(written) == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("1", "such as 1%"),
        ("one", "such as 1%"),
        ("٣%", "such as 1%"),
        (True, "such as 1%"),
        (None, "such as 1%"),
        ([], "got a list"),
        ("101%", "0% to 100%"),
        (5, "0% to 100%"),
        (-0.1, "0% to 100%"),
        (float("nan"), "0% to 100%"),
        (10**400, "0% to 100%"),
    ],
)
def test_what_is_no_percentage_is_refused_with_the_way_out(written: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_fraction(written)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (0.0004, "0.4ms"),
        (0.5, "500ms"),
        (0.9999, "1s"),
        (1.5, "1.5s"),
        (59.99, "60s"),
        (60, "1m"),
        (5400, "1h30m"),
        (86_400, "24h"),
    ],
)
def test_a_duration_is_shown_as_people_write_it(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@given(st.floats(0.001, LONGEST_SECONDS))
def test_what_is_shown_of_a_duration_can_be_read_again(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.01)


@given(st.integers(0, LONGEST_SECONDS))
def test_whole_seconds_from_a_minute_on_are_shown_exactly(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(1e-5, 1))
def test_what_is_shown_of_a_percentage_can_be_read_again(fraction: float) -> None:
    assert parse_fraction(format_fraction(fraction)) == pytest.approx(fraction, rel=0.01)


@given(
    st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.none()))
)
def test_whatever_is_written_is_understood_or_a_value_error(written: Any) -> None:
    for parse, most in ((parse_duration, LONGEST_SECONDS), (parse_fraction, 1)):
        try:
            number, reason = parse(written), "none"
        except ValueError as error:
            number, reason = 0.0, str(error)
        assert 0 <= number <= most
        assert 0 < len(reason) < 200
