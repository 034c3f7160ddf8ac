"""Cells: ages, pod states, JSONPath."""

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.sandbox.apiserver import pod_columns
from rollouts.sandbox.apiserver.durations import short
from rollouts.sandbox.apiserver.jsonpath import find

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (330, "5m30s"), (3600, "60m"), (4 * 3600, "4h"),
        (4 * 3600 + 60, "4h1m"), (10 * 3600, "10h"), (50 * 3600, "2d2h"), (20 * 86400, "20d"),
        (800 * 86400, "2y70d"), (-5, "<invalid>"),
    ],
)  # fmt: skip
def test_ages(seconds: float, text: str) -> None:
    assert short(seconds) == text


def test_a_crashing_pod() -> None:
    finished = (NOW - timedelta(seconds=30)).isoformat()
    pod = {
        "spec": {"containers": [{"name": "app"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "ready": False,
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"finishedAt": finished}},
                }
            ],
        },
    }
    assert pod_columns.ready(pod, NOW) == "0/1"
    assert pod_columns.status(pod, NOW) == "CrashLoopBackOff"
    assert pod_columns.restarts(pod, NOW) == "3 (30s ago)"
    going = pod | {"metadata": {"deletionTimestamp": NOW.isoformat()}}
    assert pod_columns.status(going, NOW) == "Terminating"


def test_paths() -> None:
    value = {
        "a": {"b.c": [1, 2]},
        "list": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
    }
    assert find(value, ".a.b\\.c[0]") == [1]
    assert find(value, "{.a['b.c'][*]}") == [1, 2]
    assert find(value, '.list[?(@.type=="Ready")].status') == ["True"]
    assert find(value, ".list[-1].type") == ["Other"]
    assert find(value, ".nothing.here") == []
    with pytest.raises(ValueError, match="no JSONPath"):
        find(value, ".a[?(")
