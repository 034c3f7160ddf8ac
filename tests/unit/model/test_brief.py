"""What others say is cut to what a message may have."""

from rollouts.model.brief import brief, brief_in_bytes


def test_what_fits_stays_as_it_is() -> None:
    assert brief("12345", 5) == brief_in_bytes("12345", 5) == "12345"


def test_what_is_too_long_ends_with_an_ellipsis() -> None:
    assert brief("123456", 5) == "1234…"
    assert brief_in_bytes("123456", 5) == "12…"


def test_no_character_is_cut_in_two() -> None:
    assert brief_in_bytes("1äääää", 7) == "1ä…"
