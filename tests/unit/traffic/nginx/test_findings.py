"""What is wrong on the way of the traffic is found before it harms, each with the way out."""

from typing import Any

import pytest

from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, Ref
from rollouts.model.routers.nginx import INGRESS
from tests.unit.traffic.ingresses import (
    CANARY,
    PREFIX,
    Ingresses,
    ingress,
    observe,
    path,
    render,
    rollout,
    rule,
    stored,
)

MARKED = {f"{PREFIX}/canary": "true", f"{PREFIX}/canary-weight": "10"}


def findings(ingresses: Ingresses, obj: JSON | None = None) -> tuple[Finding, ...]:
    return observe(ingresses, obj).findings


def only(ingresses: Ingresses, obj: JSON | None = None) -> Finding:
    (found,) = findings(ingresses, obj)
    return found


def test_a_good_ingress_has_no_problem() -> None:
    assert findings(ingress()) == ()
    assert findings(ingress() | ingress(rule(path("cart")), name="cart")) == ()


@pytest.mark.parametrize("going", [True, False])
def test_an_ingress_that_is_not_there(going: bool) -> None:
    found = ingress() if going else {}
    if going:
        found["web"]["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    assert only(found) == Finding(
        "error",
        "IngressNotFound",
        "Ingress web does not exist; create it, or correct stableIngresses",
        "spec.strategy.canary.trafficRouting.nginx.stableIngresses[0]",
        absent=Ref(INGRESS, "shop", "web"),
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (ingress(rule(path("cart"))), "has no rule for Service checkout: it leads to cart"),
        (ingress({"host": "a.test"}), "it leads to no Service"),
        (
            ingress(rule({"backend": {"resource": {"name": "bucket"}}})),
            "it leads to no Service",
        ),
        (
            ingress({"host": "a.test"}, defaultBackend={"service": {"name": "checkout"}}),
            "only as its default backend; give it a rule with a path",
        ),
    ],
)
def test_an_ingress_without_a_rule_for_the_service(found: Ingresses, words: str) -> None:
    finding = only(found)
    assert (finding.reason, finding.is_blocking) == ("NoRuleForService", True)
    assert words in finding.message


@pytest.mark.parametrize("owners", [[], [{"uid": "another"}], None])
def test_a_canary_ingress_of_the_same_name_that_is_not_ours(owners: Any) -> None:
    found = ingress() | ingress(rule(path("other"), host="b.test"), name=CANARY)
    found[CANARY]["metadata"]["ownerReferences"] = owners
    finding = only(found)
    assert (finding.reason, finding.is_blocking) == ("CanaryIngressNotOurs", True)
    assert (
        finding.message == f"Ingress {CANARY} exists and is not this Rollout's; remove or rename it"
    )
    seen = observe(found)
    assert (seen.exists, seen.highest) == (False, 0)


def test_a_second_canary_of_the_same_host_and_path() -> None:
    web = rule(path(), host="a.test")
    finding = only(ingress(web) | ingress(web, name="theirs", annotations=MARKED))
    assert (finding.reason, finding.is_blocking) == ("SecondCanary", True)
    assert "Ingress theirs already is a canary of a.test/" in finding.message
    for other in (rule(path(), host="b.test"), rule(path(at="/x"), host="a.test")):
        assert findings(ingress(web) | ingress(other, name="theirs", annotations=MARKED)) == ()


def test_a_second_canary_for_every_host() -> None:
    assert only(ingress() | ingress(name="theirs", annotations=MARKED)).reason == "SecondCanary"


def test_our_own_canary_and_one_that_goes_are_no_second_canary() -> None:
    found = ingress() | stored(render(ingress(), 5))
    assert findings(found) == ()
    found |= ingress(name="theirs", annotations=MARKED)
    found["theirs"]["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    assert findings(found) == ()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({}, "a weight is about new users"),
        ({f"{PREFIX}/affinity-canary-behavior": "sticky"}, "a weight is about new users"),
        ({f"{PREFIX}/affinity-canary-behavior": "legacy"}, "take that annotation away"),
    ],
)
def test_cookie_affinity_is_told_and_blocks_nothing(behaviour: Any, words: str) -> None:
    finding = only(ingress(annotations={f"{PREFIX}/affinity": "cookie", **behaviour}))
    assert (finding.reason, finding.is_blocking) == ("CookieAffinity", False)
    assert words in finding.message
    assert findings(ingress(annotations={"other.example/affinity": "cookie"})) == ()


def test_another_ingress_to_the_same_service_is_told_and_blocks_nothing() -> None:
    found = ingress() | ingress(rule(path(), host="internal.test"), name="internal")
    finding = only(found)
    assert (finding.reason, finding.is_blocking) == ("ServiceShared", False)
    assert "split its requests as well; name it there, or give it a Service" in finding.message
    assert findings(found, rollout(("web", "internal"))) == ()


DEFAULT = {"service": {"name": "checkout", "port": {"number": 80}}}


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([rule(path("cart", "/cart"), host="a.test")], True),
        ([rule(path("cart", "/cart"))], True),
        ([{"host": "a.test"}], True),
        ([rule(path("cart"), host="a.test")], False),
    ],
)
def test_a_default_backend_of_another_ingress_is_told(rules: list[JSON], told: bool) -> None:
    found = findings(ingress() | ingress(*rules, name="other", defaultBackend=DEFAULT))
    assert [finding.reason for finding in found] == ["ServiceShared"] * told
    assert not any(finding.is_blocking for finding in found)
    words = "give them a rule with a path, and name other in stableIngresses"
    assert all(words in finding.message for finding in found)


def test_another_ingress_that_is_nothing_but_a_default_backend() -> None:
    other = ingress(name="other", defaultBackend=DEFAULT)
    other["other"]["spec"]["rules"] = []
    assert only(ingress() | other).reason == "ServiceShared"


def test_a_default_backend_beside_the_rule_for_the_service_is_told() -> None:
    finding = only(ingress(rule(path(at="/shop"), host="a.test"), defaultBackend=DEFAULT))
    assert (finding.reason, finding.is_blocking) == ("ServiceShared", False)
    assert finding.message.endswith("give them a rule with a path")
    assert findings(ingress(rule(path(), host="a.test"), defaultBackend=DEFAULT)) == ()
    another = {"service": {"name": "errors", "port": {"number": 80}}}
    assert findings(ingress(rule(path(at="/shop")), defaultBackend=another)) == ()


def test_several_problems_are_all_named_and_only_blocking_ones_stop_a_release() -> None:
    found = ingress(annotations={f"{PREFIX}/affinity": "cookie"})
    obj = rollout(("web", "gone"))
    route = observe(found, obj)
    assert [finding.reason for finding in route.findings] == ["CookieAffinity", "IngressNotFound"]
    assert [finding.reason for finding in route.blockers] == ["IngressNotFound"]
