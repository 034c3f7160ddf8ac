"""What the matrix says is wrong, it would say."""

from bench.matrix_cells import Cell, problems_in, table
from bench.splits import Split
from bench.traffic import Total

FINE = Total(sent=1000, lost=0, lost_reasons={}, failed={"2": 7})


def test_chance_is_no_error_and_more_than_chance_is() -> None:
    assert not Split("ingress", 25, answers=400, new=140).is_off, "4.6 standard deviations"
    assert Split("ingress", 25, answers=400, new=145).is_off, "5.2 standard deviations"
    assert Split("ingress", 25, answers=400, new=55).is_off


def test_of_none_and_of_all_not_one_may_differ() -> None:
    assert not Split("ingress", 0, answers=400, new=0).is_off
    assert Split("ingress", 0, answers=400, new=1).is_off
    assert Split("ingress", 100, answers=400, new=399).is_off


def test_a_lost_request_a_good_version_that_fails_and_a_wrong_split_are_named() -> None:
    lost = Total(sent=9, lost=2, lost_reasons={"timed out": 2}, failed={"1": 1, "2": 3})
    assert problems_in(FINE, [Split("ingress", 50, 100, 52)], bad="2") == []
    assert problems_in(lost, [Split("ingress", 0, 100, 1)], bad="2") == [
        "2 requests lost: {'timed out': 2}",
        "1 requests failed by version 1",
        "ingress: 1 of 100 answers, not 0 %",
    ]


def test_the_table_has_a_line_for_each_cell_and_the_sums() -> None:
    splits = [Split("ingress", 25, 400, 97), Split("ingress", 100, 100, 100)]
    cells = [
        Cell("canary, nginx", ending, FINE, splits, problems, seconds=20)
        for ending, problems in (("promoted", []), ("aborted", ["not within 90 s"]))
    ]
    assert table(cells).splitlines() == [
        "| strategy, router | ending | sent | lost | % configured → observed |",
        "|---|---|--:|--:|---|",
        "| canary, nginx | promoted | 1,000 | 0 | 25 → 24.2, 100 → 100 |",
        "|  | aborted | 1,000 | 0 | 25 → 24.2, 100 → 100 |",
        "",
        (
            "2,000 requests sent, 0 lost. 4 splits measured by 1,000 answers,"
            " 0 off by more than 5 standard deviations."
        ),
        "",
        "- canary, nginx: aborted: not within 90 s",
    ]
