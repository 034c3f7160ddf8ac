"""What the bench of leaning releases counts is so, and equal seeds give equal releases."""

import random
import subprocess
import tempfile
from pathlib import Path

import pytest

from bench.leaning import Kind, parser, releases, run
from bench.other_commit import ROOT, measured
from bench.outcomes import ReleaseOutcome, summarize, table
from bench.virtual_release import Setting
from bench.virtual_traffic import CANARY, VirtualTraffic, binomial, poisson
from rollouts.traffic.nginx.counters import REQUESTS
from tests.fakes.metrics import FakeMetrics

SEEDS = ("a", "b", "c")
LOW = ReleaseOutcome(
    "rolled back", failed=3, highest_percent=10, held_seconds=12, seconds_to_weight_0=12
)
HIGH = ReleaseOutcome(
    "rolled back", failed=9, highest_percent=50, held_seconds=35, seconds_to_weight_0=35
)
HELD = ReleaseOutcome(
    "promoted", failed=0, highest_percent=100, held_seconds=71, seconds_to_weight_0=None
)


def test_a_release_without_a_failure_is_promoted_after_its_pauses() -> None:
    setting = Setting(weights=(10, 50), pause_seconds=20)
    for outcome in releases(setting, Kind(rate=50, times=0), SEEDS):
        assert (outcome.ending, outcome.failed, outcome.highest_percent) == ("promoted", 0, 100)
        assert 40 <= outcome.held_seconds <= 60
        assert outcome.seconds_to_weight_0 is None


def test_a_release_that_always_fails_is_stopped_at_its_first_weight() -> None:
    setting = Setting(weights=(10, 50), scrape_seconds=5, interval_seconds=5)
    for outcome in releases(setting, Kind(rate=50, times=100), SEEDS):
        assert (outcome.ending, outcome.highest_percent) == ("rolled back", 10)
        assert outcome.seconds_to_weight_0 == outcome.held_seconds <= 15
        assert outcome.failed == pytest.approx(5 * outcome.held_seconds, abs=25), (
            "10 % of 50 per second"
        )


def test_equal_seeds_give_equal_releases_and_others_others() -> None:
    kind = Kind(rate=50, times=5)
    assert releases(Setting(), kind, SEEDS) == releases(Setting(), kind, SEEDS)
    assert len(set(releases(Setting(), kind, SEEDS))) > 1


def test_the_fates_of_a_kind_are_shares_and_medians() -> None:
    outcomes = summarize("bad", [LOW, LOW, HIGH, HELD], first_weight=10, pauses_seconds=40)
    assert outcomes.endings_percent == {
        "promoted": 25,
        "rolled back": 75,
        "waits for a person": 0,
        "under way": 0,
    }
    assert outcomes.never_above_first_weight_percent == 50
    assert outcomes.held_long_percent == 25, "71 s are 31 s more than the pauses"
    assert (outcomes.failed_median, outcomes.failed_p90, outcomes.seconds_to_weight_0_median) == (
        3,
        9,
        12,
    )


def test_the_table_has_what_differs_of_both_sides_and_what_does_not_once() -> None:
    before, now = (
        summarize("bad", [outcome], first_weight=10, pauses_seconds=40) for outcome in (HIGH, LOW)
    )
    heading, _, line = table({"before": [before], "now": [now]}).splitlines()
    assert heading.startswith("| before / now | releases | promoted, %")
    assert line == "| bad | 1 | 0 | 100 | 0 | 0 | 0 / 100 | 0 | 9 / 3 | 9 / 3 | 35 / 12 | 35 / 12 |"


def test_every_kind_of_the_table_is_released_as_often_as_was_asked() -> None:
    asked = ["--rate", "50", "--fails", "0.5,100", "--runs", "3", "--jobs", "1"]
    good, bad = run(parser().parse_args(asked))
    assert (good.kind, good.releases) == ("50/s, 0.5 % fail", 3)
    assert good.endings_percent["promoted"] == 100
    assert bad.endings_percent["rolled back"] == 100


def test_visitors_are_split_by_weight_and_counted_as_nginx_does() -> None:
    metrics = FakeMetrics()
    traffic = VirtualTraffic(metrics, random.Random(1), rate=100, fails=0.5, arrivals="even")
    failed = sum(traffic.come(1, weight_percent=25) for _ in range(100))
    counted = {
        (labels["canary"], labels["status"]): count
        for labels, count in ((dict(key), count) for key, count in metrics.values.items())
        if labels["__name__"] == REQUESTS
    }
    assert sum(counted.values()) == 10_000
    assert counted[CANARY, "500"] == failed == pytest.approx(1250, abs=150)
    assert counted[CANARY, "200"] == pytest.approx(1250, abs=150)


@pytest.mark.parametrize("probability", [0.0, 0.01, 0.5, 0.9, 1.0])
def test_a_binomial_draw_has_its_mean_and_its_bounds(probability: float) -> None:
    draw = random.Random(1)
    drawn = [binomial(draw, 100, probability) for _ in range(2000)]
    assert 0 <= min(drawn) <= max(drawn) <= 100
    assert sum(drawn) / len(drawn) == pytest.approx(100 * probability, abs=0.6)


def test_a_poisson_draw_has_its_mean_and_its_variance() -> None:
    draw = random.Random(1)
    drawn = [poisson(draw, 7.0) for _ in range(4000)]
    mean = sum(drawn) / len(drawn)
    assert mean == pytest.approx(7, abs=0.2)
    assert sum((each - mean) ** 2 for each in drawn) / len(drawn) == pytest.approx(7, abs=0.6)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="there are no other commits")
def test_the_product_of_another_commit_is_measured_where_it_was_checked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    asked = ["--rate", "50", "--fails", "100", "--runs", "1", "--jobs", "1"]
    found = measured("HEAD", "bench.leaning", asked)
    ((commit, (outcomes,)),) = found["sides"].items()
    assert f"measuring {commit} in {tmp_path}" in capfd.readouterr().err
    assert outcomes["endings_percent"]["rolled back"] == 100
    assert list(tmp_path.iterdir()) == [], "it is gone"
    listed = subprocess.run(["git", "worktree", "list"], cwd=ROOT, capture_output=True, check=True)
    assert str(tmp_path) not in listed.stdout.decode()
