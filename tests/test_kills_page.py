"""The page of what kills came to says what was counted last, and nothing else."""

from tests.sandbox.kills import page


def test_the_page_is_what_the_counts_say() -> None:
    written = page.COUNTS.with_suffix(".md").read_text(encoding="utf-8")
    assert written == page.page(page.read()), "run `make kills`"


def test_another_count_is_another_page() -> None:
    first, *others = accounts = page.read()
    other = first.model_copy(update={"requests": 1_234_567})
    assert "| 1,234,567 |" in page.page([other, *others])
    assert page.page([other, *others]) != page.page(accounts)


def test_what_was_counted_last_is_as_it_has_to_be() -> None:
    for each in page.read():
        assert (each.problems, each.lost, each.failed, each.end_states) == ([], {}, 0, 1)
        assert 0 < each.killed == each.planned <= 2 * each.writes
