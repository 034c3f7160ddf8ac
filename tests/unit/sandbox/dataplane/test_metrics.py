"""The text that Prometheus reads."""

from rollouts.sandbox.dataplane.ingress_metrics import IngressMetrics

ENTRY = {
    "host": "a.example",
    "namespace": "ns",
    "ingress": "web",
    "service": "web",
    "canary": "",
    "path": "/",
    "method": "GET",
    "status": "200",
    "request_time": "0.030",
    "connect_time": "0.001",
    "header_time": "0.030",
    "response_time": "0.030",
}


def lines(*entries: dict[str, str]) -> list[str]:
    metrics = IngressMetrics()
    for entry in entries:
        metrics.count(entry)
    return metrics.render().splitlines()


def test_buckets_are_cumulative_and_end_with_all() -> None:
    page = lines(ENTRY, ENTRY | {"request_time": "0.005"}, ENTRY | {"request_time": "60"})
    buckets = [
        line.rpartition(" ")[2] for line in page if "request_duration_seconds_bucket" in line
    ]
    assert buckets == ["1", "1", "1", "2", "2", "2", "2", "2", "2", "2", "2", "3"]
    assert any(line.endswith(" 60.035000") for line in page)


def test_a_retried_request_is_left_out_of_the_upstreams_durations_alone() -> None:
    page = "\n".join(lines(ENTRY | {"connect_time": "- : 0.001", "response_time": "0.0 : 0.03"}))
    assert "nginx_ingress_controller_request_duration_seconds_count" in page
    assert "nginx_ingress_controller_response_duration_seconds_count" not in page
    assert "nginx_ingress_controller_connect_duration_seconds_count" not in page


def test_label_values_are_escaped() -> None:
    (series,) = (
        line
        for line in lines(ENTRY | {"path": '/a"b\\c\n'})
        if line.startswith("nginx_ingress_controller_requests{")
    )
    assert r'path="/a\"b\\c\n"' in series


def test_a_request_of_a_route_is_counted_apart_and_is_not_ingress_nginxs() -> None:
    routed = ENTRY | {"route": "HTTPRoute/ns/web", "backend": "ns-web-80", "ingress": ""}
    page = lines(routed, routed, ENTRY | {"backend": "ns-next-80"})
    own = [line for line in page if line.startswith("sandbox_requests_total")]
    assert own == [
        'sandbox_requests_total{route="HTTPRoute/ns/web",backend="ns-web-80",status="200"} 2',
        'sandbox_requests_total{route="Ingress/ns/web",backend="ns-next-80",status="200"} 1',
    ]
    (of_ingress,) = [line for line in page if line.startswith("nginx_ingress_controller_requests{")]
    assert of_ingress.endswith(" 1")
