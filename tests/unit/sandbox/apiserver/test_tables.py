"""Cells: ages, pod states, JSONPath."""

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.sandbox.apiserver import pod_columns
from rollouts.sandbox.apiserver.jsonpath import find

NOW = datetime(2030, 1, 1, tzinfo=UTC)


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
        "notes": {"example.com/x": "y"},
    }
    assert find(value, ".a.b\\.c[0]") == [1]
    assert find(value, "{.a['b.c'][*]}") == [1, 2]
    assert find(value, '.list[?(@.type=="Ready")].status') == ["True"]
    assert find(value, ".list[-1].type") == ["Other"]
    assert find(value, ".notes.example\\.com/x") == ["y"]
    assert find(value, "..type") == ["Ready", "Other"]
    assert find(value, ".nothing.here") == []
    with pytest.raises(ValueError, match="no JSONPath"):
        find(value, ".a[?(")
