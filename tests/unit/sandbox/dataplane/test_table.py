"""What nginx is told, and how little of it when something changes."""

from rollouts.sandbox.dataplane.table import Change, difference


def test_equal_tables_differ_in_nothing() -> None:
    assert not difference({"a": "1"}, {"a": "1"})


def test_only_what_differs_is_set_and_what_is_gone_is_deleted() -> None:
    before = {"kept": "1", "changed": "1", "gone": "1"}
    after = {"kept": "1", "changed": "2", "new": "1"}
    assert difference(before, after) == Change({"changed": "2", "new": "1"}, ("gone",))
