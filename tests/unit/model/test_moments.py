"""Moments are written in UTC, and read whatever their zone is."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from rollouts.model.moments import Precision, format_time, parse_time, read_time


@pytest.mark.parametrize("written", ["2030-01-01T12:00:00Z", "2030-01-01T12:00:00"])
def test_a_time_is_in_utc_unless_it_says_another_zone(written: str) -> None:
    assert parse_time(written) == datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, "", "yesterday", 7, {}])
def test_what_is_no_time_is_none(written: object) -> None:
    assert parse_time(written) is None


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        ("seconds", "2030-01-01T10:00:01Z"),
        ("milliseconds", "2030-01-01T10:00:01.987Z"),
        ("microseconds", "2030-01-01T10:00:01.987654Z"),
    ],
)
def test_a_moment_is_written_in_utc_and_cut_off(precision: Precision, text: str) -> None:
    moment = datetime(2030, 1, 1, 12, 0, 1, 987_654, timezone(timedelta(hours=2)))
    assert format_time(moment, precision) == text
    assert 0 <= (moment - read_time(text)).total_seconds() < 1


def test_who_knows_that_it_is_a_moment_is_told_when_it_is_none() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        read_time("yesterday")
