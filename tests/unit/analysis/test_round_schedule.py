"""When a look comes, by the samples that those before have found."""

import pytest

from rollouts.analysis.round_schedule import (
    FIRST_DELAY_SECONDS,
    TOGETHER_SECONDS,
    RoundSchedule,
    SampleDelay,
)

BEAT = 10_000.0


def looked(*looks: tuple[float, dict[str, float]], interval: float = 15.0) -> RoundSchedule:
    times = RoundSchedule()
    for at, newest in looks:
        times.looked(at, newest, interval)
    return times


def test_as_long_as_nothing_is_known_the_beat_is_kept() -> None:
    assert RoundSchedule().next_at(BEAT) == BEAT
    assert looked((100, {})).next_at(BEAT) == BEAT
    assert looked((100, {"a": 99}), interval=0).next_at(BEAT) == BEAT


def test_the_next_sample_of_any_process_is_looked_at() -> None:
    times = looked((1000, {"a": 996.0, "b": 999.0}))
    assert times.next_at(BEAT) == 996 + 15 + FIRST_DELAY_SECONDS


def test_samples_that_come_near_each_other_are_looked_at_together() -> None:
    times = looked((1000, {"a": 996.0, "b": 996.4, "c": 998.0}))
    assert times.next_at(BEAT) == pytest.approx(996.4 + 15 + FIRST_DELAY_SECONDS)
    assert TOGETHER_SECONDS < 1


def test_a_sample_that_is_not_there_is_asked_for_twice_more_and_then_the_beat_is_kept_too() -> None:
    samples = {"a": 1000.0}
    times = looked((1000.25, samples))
    asked = []
    for _ in range(4):
        asked.append(times.next_at(1020.0))
        times.looked(asked[-1], samples, 15)
    assert asked == [1015.25, 1015.5, 1016.0, 1020.0]
    assert times.next_at(1035.0) == 1030.25, "and its rhythm"


def test_of_a_process_that_is_silent_nothing_is_expected() -> None:
    times = looked((1000.25, {"a": 1000.0}))
    for at in range(1015, 1090, 15):
        times.looked(at + 0.25, {"a": 1000.0}, 15)
    assert times.next_at(BEAT) == BEAT


def test_a_process_that_is_gone_is_forgotten_once_others_go_on() -> None:
    times = looked((1000, {"a": 999.0, "b": 990.0}))
    for at in (1015, 1030, 1045):
        times.looked(at, {"a": at - 1.0, "b": 990.0}, 15)
    times.looked(1060.25, {"a": 1059.0}, 15)
    times.looked(1075.25, {"a": 1074.0}, 15)
    times.looked(1090.25, {"a": 1089.0}, 15)
    assert 1104 < times.next_at(1095.0) < 1105


def test_while_processes_may_come_that_nobody_has_seen_the_beat_is_kept_too() -> None:
    times = looked((1000, {"a": 999.0}), interval=60)
    times.others_may_come(1000)
    assert times.next_at(1015.0) == 1015
    times.looked(1060, {"a": 1059.0}, 60)
    assert times.next_at(1075.0) > 1119


@pytest.mark.parametrize("lag", [0.02, 0.3, 2.0, 60.0])
def test_the_delay_becomes_what_it_is_and_is_seldom_too_short(lag: float) -> None:
    delay, at, seen_until, early = SampleDelay(), 0.0, 0.0, 0
    waited = []
    for sample in range(0, 6000, 15):
        for again in (0.0, 0.25, 0.75, 15.0):
            looked_at = sample + delay.seconds + again
            if looked_at >= sample + lag:
                break
            at, early = looked_at, early + (sample > 3000)
        waited.append(looked_at - sample - lag)
        delay.seen(looked_at - sample, at - sample)
        at = seen_until = looked_at
    assert seen_until
    assert sorted(waited[200:])[190] <= 0.5
    assert early <= 20


def test_an_outage_says_nothing_of_how_long_a_sample_takes() -> None:
    times = looked((1000.25, {"a": 1000.0}), (1015.25, {"a": 1015.0}))
    for at in (1030.25, 1035.0, 1040.0):
        times.looked(at, {"a": 1015.0}, 15, has_read=False)
    times.looked(1042.0, {"a": 1030.0}, 15)
    times.looked(1045.5, {"a": 1045.0}, 15)
    assert times.next_at(BEAT) < 1061.0
