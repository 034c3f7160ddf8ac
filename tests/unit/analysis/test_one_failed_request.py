"""The numbers of docs/from-a-request-to-a-verdict.md are those of the real modules."""

import asyncio
import math
import re
from pathlib import Path

import pytest

from rollouts.analysis.evidence import weigh
from rollouts.judge.sequential import log_evidence, log_evidence_over_starts, odds, worse_than
from rollouts.model.evidence import Counts
from rollouts.model.routers.nginx import INGRESS
from rollouts.model.status import RolloutStatus
from rollouts.ports import Apply
from tests.unit.analysis.one_failed_request import (
    FIRST_FAILURE_SECONDS,
    NGINX_RESTARTS_SECONDS,
    Example,
    Station,
)

PAGE = Path(__file__).parents[3] / "docs/from-a-request-to-a-verdict.md"
LIMIT, ALPHA = 0.01, 0.01
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example() -> Example:
    made = Example()
    asyncio.run(made.run())
    return made


def odds_against(counts: Counts) -> str:
    """Return the odds of the mixture while no moment of the grid has come: half of it has not begun."""
    log_odds, _ = log_evidence_over_starts({0: log_evidence(counts, LIMIT, worse_than(LIMIT))}, 0)
    return f"{math.exp(log_odds):.2f}" if log_odds < math.log(10) else odds(log_odds)


def row(example: Example, station: Station) -> str:
    """Return what the page's table says of one round."""
    canary = station.measured.measurements["errors"].canary
    read = station.reads[-1]
    begin = station.seconds - read.window_seconds
    status = RolloutStatus(exposed_at=station.measured.exposed_at)
    spec = example.target.spec
    (judged,) = weigh(spec, status, station.measured).criteria
    verdict = f"{judged.verdict}, leans" if judged.leans else judged.verdict
    return (
        f"| {station.seconds:g} s | ({begin:.1f} s, {station.seconds:g} s] | {canary.requests} |"
        f" {canary.failures} | {odds_against(canary)} | {verdict} | {station.weights[1]} % |"
    )


def test_what_was_scraped_is_what_the_page_shows(example: Example, page: str) -> None:
    for at, replica, good, failed in example.samples:
        assert f"| {at:g} s | {replica} | {good} | {failed or 'no series'} |" in page


def test_each_round_is_what_the_page_shows(example: Example, page: str) -> None:
    rows = [row(example, station) for station in example.stations]
    for each in rows:
        assert each in page, "\n".join(rows)
    assert page.count(" s] |") == len(rows)


def test_the_first_failure_counts_as_soon_as_it_is_scraped(example: Example, page: str) -> None:
    (first,) = (each for each in example.stations if 15 < each.seconds < 20)
    assert first.measured.measurements["errors"].canary == Counts(160, 4)
    (failed,) = (
        each
        for each in first.reads[-1].series
        if each.labels["status"] == "500" and each.labels["prometheus_replica"] == "prometheus-0"
    )
    assert [value for _, value in failed.samples] == [4.0], "it did not exist before"
    assert f"At {FIRST_FAILURE_SECONDS:g} s" in page
    assert f"At {NGINX_RESTARTS_SECONDS:g} s" in page


def test_the_end_is_what_the_page_shows(example: Example, page: str) -> None:
    last = example.stations[-1]
    assert last.weights == (25, 0)
    assert example.loop.status["abort"]["reason"] in page
    assert (
        odds(
            log_evidence_over_starts(
                {0: log_evidence(Counts(241, 12), LIMIT, worse_than(LIMIT))}, 0
            )[0]
        )
        in (example.loop.status["abort"]["reason"])
    )
    weights = [
        write.body["metadata"]["annotations"][WEIGHT]
        for write in example.loop.cluster.writes
        if isinstance(write, Apply) and write.kind == INGRESS
    ]
    assert weights[-1] == "0"
    assert f'{WEIGHT}: "0"' in page


async def test_nothing_of_it_is_kept_by_the_controller(example: Example) -> None:
    """One that begins anew after the last scrape reads the same numbers from Prometheus."""
    last = example.stations[-1].measured.measurements["errors"]
    assert (await example.measured_anew()).measurements["errors"].canary == last.canary


def test_each_file_that_the_page_names_is_there(page: str) -> None:
    root = PAGE.parents[1]
    named = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", page)
    assert len(named) > 15
    assert [
        each
        for each in named
        if not any((base / each).exists() for base in (root, root / "rollouts"))
    ] == []
