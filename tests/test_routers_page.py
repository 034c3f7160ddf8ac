"""The page of what routers were seen to do says what was counted last, and nothing else."""

from bench import routers_page
from bench.counts import Count


def test_the_page_is_what_the_counts_say() -> None:
    written = routers_page.COUNTS.with_suffix(".md").read_text(encoding="utf-8")
    assert written == routers_page.page(routers_page.read()), "run `make data-planes`"


def test_another_count_is_another_page() -> None:
    first, *others = seen = routers_page.read()
    splits = dict.fromkeys(first.splits, Count(seen=1234, of=10_000))
    other = first.model_copy(update={"splits": splits})
    assert "| 1,234 of 10,000 |" in routers_page.page([other, *others])
    assert routers_page.page([other, *others]) != routers_page.page(seen)
