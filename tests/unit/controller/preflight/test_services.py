"""Services that lead elsewhere."""

from typing import Any

import pytest

from rollouts.model.kinds import DEPLOYMENT, HASH_LABEL, JSON, REPLICA_SET, ROLLOUT
from tests.unit.controller.preflight.namespace import (
    ADOPTED,
    CANARY,
    UID,
    findings,
    message,
    named,
    reasons,
    rollout,
    service,
    template,
    with_metadata,
)

SMI = {**CANARY, "trafficRouting": {"smi": {}}}
BLUE_GREEN = {"blueGreen": {"activeService": "checkout"}}


def test_nothing_is_wrong_where_nothing_is_wrong() -> None:
    assert reasons() == []
    assert reasons(of=rollout(strategy=BLUE_GREEN)) == []
    assert reasons(of=rollout(strategy={"canary": {"steps": []}})) == []


@pytest.mark.parametrize("going", [True, False])
@pytest.mark.parametrize(
    ("strategy", "field"), [({"canary": CANARY}, "stableService"), (BLUE_GREEN, "activeService")]
)
def test_a_service_that_is_not_there(strategy: JSON, field: str, going: bool) -> None:
    found = service() if going else service("another", selector={"app": "another"})
    if going:
        found = with_metadata(found, deletionTimestamp="2030-01-01T00:00:00Z")
    (problem,) = findings(found, of=rollout(strategy=strategy))
    assert (problem.reason, problem.is_blocking) == ("ServiceNotFound", True)
    assert problem.message == f"Service checkout does not exist; create it, or correct {field}"


def test_only_the_service_of_the_users_has_to_be_there() -> None:
    """We make a canary Service ourselves, and a canary by replicas needs none at all."""
    assert reasons(service()) == []
    other = service("another", selector={"app": "another"})
    assert reasons(other, of=rollout(strategy={"canary": {"steps": []}})) == []


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"type": "ExternalName"}, "ExternalName", "give it the type ClusterIP"),
        ({"selector": None}, "NoSelector", "Service checkout has no selector"),
        ({"selector": {"app": "chekcout"}}, "SelectsNoPods", "asks for app: chekcout;"),
        ({"selector": {"app": "checkout", "x": "1"}}, "SelectsNoPods", "asks for x: 1;"),
        (
            {"ports": [{"port": 80, "targetPort": "web"}]},
            "TargetPortUnknown",
            "leads to the port web, and the template has none of that name (it has http)",
        ),
    ],
)
@pytest.mark.parametrize("name", ["checkout", "checkout-canary"])
def test_a_service_that_leads_nowhere(changes: JSON, expected: str, words: str, name: str) -> None:
    others = [service()] if name != "checkout" else []
    found = message(expected, *others, service(name, **changes))
    assert words.replace("Service checkout", f"Service {name}") in found


@pytest.mark.parametrize(
    "changes",
    [
        {"selector": {"app": "checkout", HASH_LABEL: "abc"}},
        {"selector": {HASH_LABEL: "abc"}},
        {"ports": [{"port": 80, "targetPort": 9999}]},
        {"ports": [{"port": 8080}]},
        {"ports": [{"port": 80, "targetPort": "8080"}]},
        {"clusterIP": "None"},
        {"type": "LoadBalancer"},
    ],
)
def test_a_service_that_is_unusual_and_right(changes: JSON) -> None:
    assert reasons(service(**changes)) == []


def test_only_what_stops_a_release_is_blocking() -> None:
    (is_blocking,) = findings(service(type="ExternalName"))
    (telling,) = findings(service(selector={"app": "x"}))
    assert (is_blocking.is_blocking, telling.is_blocking) == (True, False)


@pytest.mark.parametrize("strategy", [{"canary": SMI}, BLUE_GREEN])
def test_clients_of_a_headless_service_choose_their_pods_themselves(strategy: JSON) -> None:
    found = message("HeadlessService", service(clusterIP="None"), of=rollout(strategy=strategy))
    assert "use a Service with a cluster IP" in found


def test_labels_that_pods_have_by_their_role_count() -> None:
    roles: dict[str, Any] = {
        "stableMetadata": {"labels": {"role": "stable"}},
        "canaryMetadata": {"labels": {"role": "canary"}},
    }
    stable = service(selector={"app": "checkout", "role": "stable"})
    canary = service("checkout-canary", selector={"app": "checkout", "role": "stable"})
    told = message(
        "SelectsNoPods", stable, canary, of=rollout(strategy={"canary": {**CANARY, **roles}})
    )
    assert told.startswith("Service checkout-canary selects none of the pods")
    assert "its selector asks for role: stable;" in told


def test_a_canary_service_of_ours_is_as_its_stable_service_is() -> None:
    wrong = service(selector={"app": "x"})
    ours = service("checkout-canary", selector={"app": "x"})
    owner = {"kind": "Rollout", "name": "checkout", "uid": UID, "controller": True}
    assert len(findings(wrong, with_metadata(ours, ownerReferences=[owner]))) == 1


def test_ports_of_sidecars_count() -> None:
    body = template(ports=[])
    sidecar = {"name": "proxy", "ports": [{"name": "http", "containerPort": 1}]}
    body["spec"]["initContainers"] = [{**sidecar, "restartPolicy": "Always", "readinessProbe": {}}]
    assert "TargetPortUnknown" not in reasons(of=rollout(template=body))
    body["spec"]["initContainers"] = [sidecar]
    assert "TargetPortUnknown" in reasons(of=rollout(template=body))


def workload(name: str, labels: dict[str, str], replicas: int = 2) -> JSON:
    body = {**template(), "metadata": {"labels": labels}}
    return named(DEPLOYMENT, name, {"replicas": replicas, "template": body})


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (workload("legacy", {"app": "checkout", "tier": "x"}), ["SelectsOthers"]),
        (workload("legacy", {"app": "checkout"}, replicas=0), []),
        (workload("legacy", {"app": "cart"}), []),
        ({**rollout(), "metadata": {"namespace": "shop", "name": "copy"}}, ["SelectsOthers"]),
    ],
)
def test_a_service_that_selects_the_pods_of_others(other: JSON, found: list[str]) -> None:
    assert reasons(other, service()) == found
    bound = service(selector={"app": "checkout", HASH_LABEL: "abc"})
    assert reasons(other, bound) == []


def test_the_deployment_that_is_adopted_is_no_other() -> None:
    adopted = workload("legacy", {"app": "checkout"})
    assert reasons(adopted, of=rollout(ADOPTED)) == []
    told = message(
        "SelectsOthers", adopted, workload("a", {"app": "checkout"}), of=rollout(ADOPTED)
    )
    assert "the pods of Deployment a too" in told


def replica_set(hash_: str, uid: str = UID) -> JSON:
    owner = {"kind": "Rollout", "name": "checkout", "uid": uid, "controller": True}
    labels = {HASH_LABEL: hash_}
    return named(REPLICA_SET, f"checkout-{hash_}", labels=labels, ownerReferences=[owner])


def bound(name: str, hash_: str = "abc", **metadata: Any) -> JSON:
    made = service(name, selector={"app": "checkout", HASH_LABEL: hash_})
    return with_metadata(made, **metadata)


BY_PODS: JSON = {"canary": {"steps": []}}


def having_bound(*names: str, **changes: Any) -> JSON:
    """Return a Rollout that has bound these Services, as its status says."""
    return {**rollout(**changes), "status": {"services": list(names)}}


def test_a_service_that_somebody_else_has_bound_to_a_revision_of_ours() -> None:
    (found,) = findings(replica_set("abc"), bound("old"), service())
    assert (found.reason, found.is_blocking) == ("ServiceStillBound", True)
    assert found.message.startswith("Service old selects revision abc of this Rollout alone")
    assert "take rollouts.dev/pod-template-hash out of its selector" in found.message
    (found,) = findings(replica_set("abc"), bound("checkout"), of=rollout(strategy=BY_PODS))
    assert found.reason == "ServiceStillBound"


def test_what_it_has_bound_itself_is_given_back_unless_it_would_select_nothing_then() -> None:
    assert reasons(replica_set("abc"), bound("old"), service(), of=having_bound("old")) == []
    alone = service("old", selector={HASH_LABEL: "abc"})
    told = message(
        "ServiceStillBound", replica_set("abc"), alone, service(), of=having_bound("old")
    )
    assert "give it a selector of its own" in told


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ([{"port": 81, "targetPort": "http"}], "it has no port 80, which Service checkout has"),
        ([{"port": 80, "targetPort": 9090}], "port 80 leads to 9090, and that of Service checkout"),
        ([], "it has no port 80"),
    ],
)
def test_a_users_own_canary_service_with_other_ports(ports: list[JSON], words: str) -> None:
    told = message("CanaryPortsDiffer", service(), service("checkout-canary", ports=ports))
    assert words in told


def test_a_canary_service_with_more_ports_or_without_a_route_may_be_as_it_likes() -> None:
    more = [{"port": 80, "targetPort": "http"}, {"port": 9090}]
    assert reasons(service(), service("checkout-canary", ports=more)) == []
    previewed = {"blueGreen": {"activeService": "checkout", "previewService": "preview"}}
    other = service("preview", ports=[{"port": 81, "targetPort": "http"}])
    assert reasons(service(), other, of=rollout(strategy=previewed)) == []
    owner = {"kind": "Rollout", "name": "checkout", "uid": UID, "controller": True}
    ours = with_metadata(service("checkout-canary", ports=[]), ownerReferences=[owner])
    assert reasons(service(), ours) == [], "it follows"


def test_a_service_that_is_somebody_elses_or_named_is_not_left_behind() -> None:
    made = {"kind": "Rollout", "name": "checkout", "uid": UID, "controller": True}
    going = "2030-01-01T00:00:00Z"
    named_by_another = rollout(strategy={"blueGreen": {"activeService": "old"}})
    named_by_another["metadata"] = {"namespace": "shop", "name": "another", "uid": "u2"}
    for others in (
        [bound("old", "of-another")],
        [bound("old", ownerReferences=[made])],
        [bound("old", deletionTimestamp=going)],
        [with_metadata(bound("old"), namespace="elsewhere")],
        [bound("checkout"), bound("checkout-canary")],
        [service("old")],
    ):
        assert reasons(replica_set("abc"), service(), *others) == [], others
    told = reasons(replica_set("abc"), service(), bound("old"), named_by_another)
    assert "ServiceStillBound" not in told
    assert reasons(replica_set("abc", uid="another"), service(), bound("old")) == []
    by_two = {"blueGreen": {"activeService": "checkout", "previewService": "old"}}
    assert reasons(replica_set("abc"), service(), bound("old"), of=rollout(strategy=by_two)) == []


def test_what_a_file_says_may_have_any_shape() -> None:
    odd = [
        service(selector=["x"], ports="none"),
        named(ROLLOUT, "odd", {"template": 3}),
        named(DEPLOYMENT, "odd", {"template": {"metadata": {"labels": ["a"]}}}),
    ]
    assert reasons(*odd) == ["NoSelector"]
