"""What others say is cut to what a message may have."""

from rollouts.model.truncation import truncated, truncated_to_bytes


def test_what_fits_stays_as_it_is() -> None:
    assert truncated("12345", 5) == truncated_to_bytes("12345", 5) == "12345"


def test_what_is_too_long_ends_with_an_ellipsis() -> None:
    assert truncated("123456", 5) == "1234…"
    assert truncated_to_bytes("123456", 5) == "12…"


def test_no_character_is_cut_in_two() -> None:
    assert truncated_to_bytes("1äääää", 7) == "1ä…"
