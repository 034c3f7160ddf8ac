"""Which pods Prometheus is told to scrape."""

import json
from pathlib import Path

from rollouts.model.kinds import HASH_LABEL, JSON
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.network import PodNetwork
from rollouts.sandbox.scrape_targets import ScrapeTargets, scrape_targets

NETWORK = PodNetwork(10)


def pod(phase: str = "Running", labels: dict[str, str] | None = None, **annotations: str) -> JSON:
    return {
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "labels": labels or {},
            "annotations": {f"prometheus.io/{key}": value for key, value in annotations.items()},
        },
        "spec": {"containers": [{"ports": [{"containerPort": 8080}]}]},
        "status": {"phase": phase, "podIP": "127.10.1.1"},
    }


def test_a_pod_is_scraped_on_its_first_port_and_carries_its_revision() -> None:
    assert scrape_targets([pod(labels={HASH_LABEL: "abc"}, scrape="true")], NETWORK) == [
        {
            "targets": ["127.10.1.1:8080"],
            "labels": {
                "namespace": "shop",
                "pod": "web-1",
                "revision": "abc",
                "rollouts_pod_template_hash": "abc",
            },
        }
    ]


def test_port_and_path_can_be_said() -> None:
    (target,) = scrape_targets([pod(scrape="true", port="9000", path="/m")], NETWORK)
    assert target["targets"] == ["127.10.1.1:9000"]
    assert target["labels"]["__metrics_path__"] == "/m"


def test_a_port_named_metrics_is_scraped_unless_somebody_says_no() -> None:
    body = pod()
    body["spec"]["containers"][0]["ports"].append({"name": "metrics", "containerPort": 9090})
    (target,) = scrape_targets([body], NETWORK)
    assert target["targets"] == ["127.10.1.1:9090"]
    body["metadata"]["annotations"] = {"prometheus.io/scrape": "false"}
    assert scrape_targets([body], NETWORK) == []


def test_a_rollouts_pod_is_scraped_unless_somebody_says_no() -> None:
    labels = {HASH_LABEL: "abc"}
    assert len(scrape_targets([pod(labels=labels)], NETWORK)) == 1
    assert scrape_targets([pod(labels=labels, scrape="false")], NETWORK) == []


def test_pods_that_do_not_want_it_or_do_not_run_are_left_alone() -> None:
    unwilling = [pod(), pod(scrape="false"), pod("Pending", scrape="true")]
    assert scrape_targets(unwilling, NETWORK) == []


def test_nobody_is_asked_who_is_no_pod_of_the_sandbox() -> None:
    for address in ("127.11.1.1", "127.10.0.1", "10.10.1.1", "127.0.0.1", "192.0.2.1", "localhost"):
        body = pod(scrape="true")
        body["status"]["podIP"] = address
        assert scrape_targets([body], NETWORK) == []


def test_the_file_is_written_again_only_when_it_would_differ(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    targets = ScrapeTargets(Store(), NETWORK, path)
    targets.write()
    assert json.loads(path.read_text()) == []
    path.unlink()
    targets.write()
    assert not path.exists()
