"""What Prometheus has for the criteria, said before a release starts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rollouts.analysis.criterion_metric import metric_of
from rollouts.analysis.series_check import SeriesCheck, check_series
from rollouts.errors import Permanent, Unavailable
from rollouts.model.kinds import JSON
from rollouts.model.status import Revision
from rollouts.ports import Value
from tests.fakes.metrics import FakeMetrics
from tests.unit.analysis.app_harness import BY_REPLICAS, KEY, target
from tests.unit.analysis.harness import ERRORS

AT = datetime(2030, 1, 1, tzinfo=UTC)
STABLE = Revision(number=3, hash="stablehash")
NGINX: JSON = {
    "canary": {
        "stableService": "checkout",
        "trafficRouting": {"nginx": {"stableIngresses": ["checkout"]}},
    }
}
PROMQL = 'sum(sales{namespace="shop",pod=~"{{ rollout }}-{{ canary.hash }}-.+"})'
FILLED = 'sum(sales{namespace="shop",pod=~"checkout-stablehash-.+"})'
QUERY: JSON = {"name": "sales", "query": {"promql": PROMQL, "min": 1}}


async def seen(
    strategy: JSON, criterion: JSON, **answers: float | Value | Exception | None
) -> SeriesCheck:
    metrics = FakeMetrics()
    metrics.answers |= answers
    spec = target(strategy, (criterion,)).spec
    (found,) = await check_series(metrics, KEY, spec, STABLE, AT)
    return found


@pytest.mark.parametrize("strategy", [NGINX, BY_REPLICAS])
async def test_series_that_exist_need_no_word(strategy: JSON) -> None:
    made = replace(target(strategy), canary=STABLE, stable=STABLE)
    (criterion,) = made.spec.success_criteria
    for index, found in enumerate(("wanted", "renamed")):
        metrics = FakeMetrics()
        metric = metric_of(made, criterion)
        metrics.answers[f"count({metric.series.selectors[index]})"] = 4
        (check,) = await check_series(metrics, KEY, made.spec, STABLE, AT)
        assert check.found == found
        assert bool(check.hint) == (found == "renamed")


async def test_pods_that_nobody_scrapes_are_told_from_metrics_that_nobody_exports() -> None:
    found = await seen(BY_REPLICAS, ERRORS)
    assert found.found == "absent"
    assert found.hint.startswith(
        'Prometheus scrapes none of the pods: it has no up{namespace="shop"'
    )
    up = 'count(up{namespace="shop",pod=~"checkout-stablehash-.+"})'
    found = await seen(BY_REPLICAS, ERRORS, **{up: 2})
    assert found.found == "absent"
    assert "scrapes the pods and has no http_requests_total{" in found.hint


@pytest.mark.parametrize("strategy", [NGINX, BY_REPLICAS])
async def test_native_histograms_are_what_latency_needs(strategy: JSON) -> None:
    p90 = {"name": "p90", "latency": {"quantile": 0.9, "max": "400ms"}}
    made = replace(target(strategy, (p90,)), canary=STABLE, stable=STABLE)
    (criterion,) = made.spec.success_criteria
    for native in metric_of(made, criterion).series.natives:
        assert "_bucket" not in native
        assert await seen(strategy, p90, **{f"count({native})": 2}) == SeriesCheck("p90", "wanted")


async def test_an_ingress_without_metrics() -> None:
    found = await seen(NGINX, ERRORS)
    assert found.found == "absent"
    assert "see whether Prometheus still scrapes ingress-nginx" in found.hint


async def test_a_query_is_asked_of_the_stable_revision() -> None:
    assert (await seen(BY_REPLICAS, QUERY, **{FILLED: 0.0})) == SeriesCheck("sales", "wanted")
    found = await seen(BY_REPLICAS, QUERY, **{FILLED: Permanent("parse error")})
    assert found == SeriesCheck("sales", "refused", "parse error")
    found = await seen(BY_REPLICAS, QUERY, **{FILLED: None})
    assert found.found == "absent"
    assert "yields nothing for the stable revision now; run it" in found.hint
    warning = "PromQL info: ignored histogram in sum aggregation (1:1)"
    found = await seen(BY_REPLICAS, QUERY, **{FILLED: Value(None, (warning,))})
    assert found.hint == f"the query yields nothing for the stable revision now; {warning}"


async def test_labels_of_a_query_that_prometheus_renames() -> None:
    both = FILLED.replace("namespace", "exported_namespace").replace("pod", "exported_pod")
    one = FILLED.replace("namespace=", "exported_namespace=")
    nothing: dict[str, float | Value | Exception | None] = {FILLED: None, both: None, one: None}
    nothing[FILLED.replace("pod", "exported_pod")] = None
    found = await seen(BY_REPLICAS, QUERY, **{**nothing, both: 1.0})
    assert found.found == "renamed"
    assert "asks for exported_namespace and exported_pod: " in found.hint
    found = await seen(BY_REPLICAS, QUERY, **{**nothing, one: 1.0})
    assert "asks for exported_namespace: " in found.hint


async def test_what_is_refused_of_one_criterion_says_nothing_of_the_others() -> None:
    metrics, spec = FakeMetrics(), target(BY_REPLICAS, (ERRORS, QUERY)).spec
    (stable, _) = metric_of(
        replace(target(BY_REPLICAS), canary=STABLE, stable=STABLE), spec.success_criteria[0]
    ).series.selectors
    metrics.answers |= {f"count({stable})": Permanent("parse error"), FILLED: 1.0}
    errors, sales = await check_series(metrics, KEY, spec, STABLE, AT)
    assert (errors.found, errors.hint) == ("refused", "parse error")
    assert sales.found == "wanted"


async def test_a_source_that_does_not_answer_is_the_callers_to_tell() -> None:
    with pytest.raises(Unavailable):
        await seen(BY_REPLICAS, QUERY, **{FILLED: Unavailable("away")})
