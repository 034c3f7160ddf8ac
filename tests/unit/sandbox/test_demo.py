"""Where the demo finds what it releases."""

from pathlib import Path

import pytest

from rollouts.sandbox import demo

ROOT = Path(__file__).parents[3]


def test_in_a_checkout_it_is_the_checkouts_example(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert demo.find_example() == ROOT / demo.EXAMPLE


def test_when_it_is_installed_elsewhere_it_is_the_example_of_the_checkout_it_runs_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        demo, "__file__", str(tmp_path / "lib" / "rollouts" / "sandbox" / "demo.py")
    )
    monkeypatch.chdir(ROOT)
    assert demo.find_example() == ROOT / demo.EXAMPLE
