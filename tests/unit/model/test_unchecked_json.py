"""JSON that nobody has checked is read all the same."""

from datetime import UTC, datetime

import pytest

from rollouts.model.unchecked_json import parse_time


@pytest.mark.parametrize("written", ["2030-01-01T12:00:00Z", "2030-01-01T12:00:00"])
def test_a_time_is_in_utc_unless_it_says_another_zone(written: str) -> None:
    assert parse_time(written) == datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, "", "yesterday", 7, {}])
def test_what_is_no_time_is_none(written: object) -> None:
    assert parse_time(written) is None
