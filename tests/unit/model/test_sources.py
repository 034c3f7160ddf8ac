"""Where the counts of a criterion come from, and which sources there can't be."""

from typing import Any

import pytest

from rollouts.model.kinds import JSON
from rollouts.model.sources import source_of
from rollouts.model.validation import parse_rollout
from tests.fakes.kubernetes import rollout
from tests.unit.model.test_validation import ERRORS, QUERY, changed, errors_of

NGINX: JSON = {"nginx": {"stableIngresses": ["checkout"]}}
GATEWAY = {"gatewayAPI": {"httpRoutes": ["checkout"]}}
SMI: JSON = {"smi": {}}
APP = {**ERRORS, "source": "app"}
INGRESS = {**ERRORS, "source": "ingress"}
BLUE_GREEN = {"blueGreen": {"activeService": "a"}}


def with_strategy(strategy: JSON, *criteria: JSON, **spec: Any) -> JSON:
    return changed(rollout([], successCriteria=list(criteria), **spec), "strategy", strategy)


def routed(routing: JSON) -> JSON:
    return {"canary": {"stableService": "checkout", "trafficRouting": routing}}


@pytest.mark.parametrize(
    ("strategy", "source"),
    [
        (routed(NGINX), "ingress"),
        (routed({**NGINX, **GATEWAY}), "app"),
        (routed({**NGINX, **SMI}), "app"),
        (routed(GATEWAY), "app"),
        (routed(SMI), "app"),
        ({"canary": {}}, "app"),
        (BLUE_GREEN, "app"),
    ],
)
def test_the_source_is_what_sees_all_of_the_traffic(strategy: JSON, source: str) -> None:
    spec = parse_rollout(with_strategy(strategy, ERRORS, {**APP, "name": "app"}))
    assert source_of(spec) == source_of(spec, spec.success_criteria[0]) == source
    assert source_of(spec, spec.success_criteria[1]) == "app"


@pytest.mark.parametrize("routing", [NGINX, {**NGINX, **GATEWAY}])
def test_an_ingress_can_be_asked_where_there_is_one(routing: JSON) -> None:
    spec = parse_rollout(with_strategy(routed(routing), INGRESS))
    assert source_of(spec, spec.success_criteria[0]) == "ingress"


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (BLUE_GREEN, "source ingress needs the router nginx"),
        ({"canary": {}}, "source ingress needs the router nginx"),
        (routed(GATEWAY), "needs the router nginx"),
    ],
)
def test_an_ingress_that_sees_no_canary_is_refused(strategy: JSON, words: str) -> None:
    said = errors_of(with_strategy(strategy, INGRESS))
    assert said.keys() == {"spec.successCriteria[0].source"}
    assert words in said["spec.successCriteria[0].source"]
    assert "use app" in said["spec.successCriteria[0].source"]


def test_a_query_has_no_source() -> None:
    said = errors_of(with_strategy({"canary": {}}, {**QUERY, "source": "app"}))
    assert "leave source out" in said["spec.successCriteria[0]"]


@pytest.mark.parametrize(
    ("strategy", "name", "words"),
    [
        ({"canary": {}}, "canary.service", "use canary.hash"),
        ({"canary": {}}, "stable.service", "no stable Service without trafficRouting"),
        (BLUE_GREEN, "canary.service", "no canary Service without previewService"),
    ],
)
def test_a_service_that_there_is_not_is_no_variable(strategy: JSON, name: str, words: str) -> None:
    query = {"name": "q", "query": {"promql": f'up{{s="{{{{ {name} }}}}"}}', "max": 1}}
    said = errors_of(with_strategy(strategy, query))
    assert words in said["spec.successCriteria[0].query.promql"]


def test_a_service_that_there_is_may_be_asked_for() -> None:
    query = {"name": "q", "query": {"promql": 'up{s="{{ stable.service }}"}', "max": 1}}
    assert parse_rollout(with_strategy(BLUE_GREEN, query)).success_criteria[0].query


def test_names_of_metrics_are_checked() -> None:
    wrong = {"requests": "a b", "codeLabel": 'a"b', "exclude": {"a\\b": ["x"]}}
    said = errors_of(with_strategy({"canary": {}}, ERRORS, appMetrics=wrong))
    assert said.keys() == {"spec.appMetrics.requests", "spec.appMetrics.codeLabel"}
    for name in ("", "a b", 'a"b', "a\nb", "a\x7f"):
        wrong = {"exclude": {name: ["x"]}}
        said = errors_of(with_strategy({"canary": {}}, ERRORS, appMetrics=wrong))
        assert f"{name!r} can't be the name of a label" in said["spec.appMetrics"]


def test_metrics_may_have_opentelemetrys_own_names() -> None:
    names = {
        "requests": "http.server.request.duration_count",
        "codeLabel": "http.response.status_code",
        "podLabel": "k8s.pod.name",
        "exclude": {"http.route": ["/healthz"], "größe": ["x"]},
    }
    spec = parse_rollout(with_strategy({"canary": {}}, ERRORS, appMetrics=names))
    assert spec.app_metrics.requests == "http.server.request.duration_count"


RATIO: JSON = {"name": "beside", "errorRate": {"maxRatioToStable": 1.5}}


def test_a_comparison_needs_both_sides_counted_at_one_moment() -> None:
    assert parse_rollout(with_strategy(routed(NGINX), RATIO)).success_criteria[0].error_rate
    for strategy, criterion in (
        (routed(NGINX), {**RATIO, "source": "app"}),
        (routed(GATEWAY), RATIO),
        (BLUE_GREEN, RATIO),
    ):
        said = errors_of(with_strategy(strategy, criterion))
        assert "needs source ingress" in said["spec.successCriteria[0].errorRate.maxRatioToStable"]


def test_a_comparison_needs_users_that_are_assigned_at_random() -> None:
    annotated = {"nginx": {**NGINX["nginx"], "canaryIngressAnnotations": {"canary-by-cookie": "c"}}}
    match = [{"headerName": "x", "headerValue": {"exact": "y"}}]
    header = routed(NGINX)
    header["canary"]["steps"] = [{"setHeaderRoute": {"name": "h", "match": match}}]
    for strategy in (routed(annotated), header):
        said = errors_of(with_strategy(strategy, RATIO))
        assert "at random" in said["spec.successCriteria[0].errorRate.maxRatioToStable"]


def test_a_comparison_has_one_judge() -> None:
    said = errors_of(with_strategy(routed(NGINX), {**RATIO, "judge": "threshold"}))
    assert "sequential only" in said["spec.successCriteria[0]"]
