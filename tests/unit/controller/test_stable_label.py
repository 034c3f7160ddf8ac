"""A Service that asks for the label of stable is never written: the label goes from pods to pods."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from rollouts.core.template import user_template
from rollouts.model.kinds import (
    HASH_LABEL,
    JSON,
    POD,
    REPLICA_SET,
    SERVICE,
    STABLE,
    STABLE_LABEL,
    Ref,
)
from tests.fakes.control_loop import KEY, STEPS, ControlLoop
from tests.fakes.kubernetes import Kubernetes, service, template
from tests.fakes.traffic import endpoints
from tests.unit.controller.edits import put_beside

CHECKOUT = Ref(SERVICE, "shop", "checkout")
NGINX: JSON = {"nginx": {"stableIngresses": ["checkout"]}}
CANARY: JSON = {"canary": {"stableService": "checkout", "trafficRouting": NGINX, "steps": STEPS}}
BLUE_GREEN: JSON = {
    "blueGreen": {
        "activeService": "checkout",
        "postPromotionAnalysis": {"duration": "10s"},
        "scaleDownDelaySeconds": 5,
    }
}
WAYS = [pytest.param(CANARY, id="canary"), pytest.param(BLUE_GREEN, id="blueGreen")]


class Watchful(Kubernetes):
    """A cluster that does not bear that the Service has no endpoints any more."""

    is_late = False
    """The EndpointSlice of the Service stays as it is."""

    def settle(self) -> None:
        before = endpoints(self.cluster, "checkout")
        super().settle()
        assert endpoints(self.cluster, "checkout") or not before

    def _endpoints_of(self, service: JSON) -> None:
        if not (self.is_late and service["metadata"]["name"] == "checkout"):
            super()._endpoints_of(service)


def asking(label: str | None = STABLE, **selector: str) -> JSON:
    body = service()
    body["spec"]["selector"] |= selector | ({STABLE_LABEL: label} if label else {})
    return body


def labelled(loop: ControlLoop) -> dict[str, set[bool]]:
    """Return whether the pods of each revision, and its next ones, have the label."""
    found: dict[str, set[bool]] = {}
    for each in loop.cluster.select(REPLICA_SET, "shop"):
        pods = loop.cluster.select(
            POD, "shop", {HASH_LABEL: each["metadata"]["labels"][HASH_LABEL]}
        )
        metadata = [each["spec"]["template"]["metadata"], *(pod["metadata"] for pod in pods)]
        has = {one["labels"].get(STABLE_LABEL) == STABLE for one in metadata}
        found[each["metadata"]["name"].rpartition("-")[2]] = has
    return found


async def deployed(loop: ControlLoop, way: JSON, body: JSON | None = None) -> str:
    """Bring a first version to its end; return its hash."""
    loop.cluster.put(SERVICE, body or asking())
    loop.kubernetes = Watchful(loop.cluster)
    loop.apply(strategy=way)
    await loop.run(20)
    assert loop.status["phase"] == "Healthy", loop.status
    return str(loop.status["stableRevision"]["hash"])


def written(loop: ControlLoop) -> list[Any]:
    """Return the writes to the Service."""
    return [each for each in loop.cluster.writes if getattr(each, "ref", None) == CHECKOUT]


def behind(loop: ControlLoop, name: str) -> dict[str, int]:
    """Return how many ready endpoints a Service has, by revision."""
    found = (loop.cluster.get(Ref(POD, "shop", pod)) for pod in endpoints(loop.cluster, name))
    return Counter(pod["metadata"]["labels"][HASH_LABEL] for pod in found if pod is not None)


def pods_of(loop: ControlLoop, hash_: str) -> list[str]:
    found = loop.cluster.select(POD, "shop", {HASH_LABEL: hash_})
    return [each["metadata"]["name"] for each in found]


@pytest.mark.parametrize("way", WAYS)
async def test_a_release_moves_the_label_and_writes_no_service_and_replaces_no_pod(
    loop: ControlLoop, way: JSON
) -> None:
    old = await deployed(loop, way)
    assert labelled(loop) == {old: {True}}
    loop.release("shop:2")
    await loop.until(lambda: loop.status["currentRevision"]["number"] == 2)
    new = loop.status["currentRevision"]["hash"]
    await loop.until(lambda: len(pods_of(loop, new)) == 4)
    pods = set(pods_of(loop, new))
    await loop.run(120)
    assert labelled(loop) == {old: {False}, new: {True}}
    assert behind(loop, "checkout") == {new: 4}
    assert set(pods_of(loop, new)) == pods
    assert loop.status["phase"] == "Healthy", loop.status
    assert len(loop.cluster.select(REPLICA_SET, "shop")) == 2
    assert written(loop) == []
    assert "DriftCorrected" not in loop.reasons()


@pytest.mark.parametrize("way", WAYS)
async def test_a_bad_release_leaves_the_label_where_it_was(loop: ControlLoop, way: JSON) -> None:
    old = await deployed(loop, way)
    loop.release("shop:2")
    await loop.until(lambda: len(labelled(loop)) == 2)
    if way is CANARY:
        assert labelled(loop) == {old: {True}, loop.status["currentRevision"]["hash"]: {False}}
    await loop.until(lambda: loop.status["weights"]["applied"] > 0)
    loop.monitor.failures = 500
    await loop.until(lambda: bool(loop.status.get("abort")))
    await loop.run(60)
    new = loop.status["currentRevision"]["hash"]
    assert labelled(loop) == {old: {True}, new: {False}}
    assert behind(loop, "checkout") == {old: 4}
    assert written(loop) == []


@pytest.mark.parametrize("way", WAYS)
async def test_the_label_is_no_part_of_a_template(loop: ControlLoop, way: JSON) -> None:
    await deployed(loop, way)
    (found,) = loop.cluster.select(REPLICA_SET, "shop")
    assert user_template(found) == template("shop:1")
    assert STABLE_LABEL not in found["spec"]["selector"]["matchLabels"]
    assert STABLE_LABEL not in found["metadata"]["labels"]


def lose(loop: ControlLoop, old: str) -> None:
    """Somebody takes the label from a pod."""
    ref = Ref(POD, "shop", pods_of(loop, old)[0])
    loop.cluster.edit(ref, {"metadata": {"labels": {STABLE_LABEL: None}}})


def forget(loop: ControlLoop, old: str) -> None:
    """Somebody takes it out of the template."""
    ref = Ref(REPLICA_SET, "shop", f"checkout-{old}")
    labels = {"labels": {STABLE_LABEL: None}}
    loop.cluster.edit(ref, {"spec": {"template": {"metadata": labels}}})


def mislead(loop: ControlLoop, old: str) -> None:
    """Somebody gives it to a pod of the canary."""
    (name, *_) = pods_of(loop, loop.status["currentRevision"]["hash"])
    labels = {"labels": {STABLE_LABEL: STABLE}}
    loop.cluster.edit(Ref(POD, "shop", name), {"metadata": labels})


@pytest.mark.parametrize("meddle", [lose, forget, mislead])
async def test_what_somebody_does_to_the_label_is_put_back(
    loop: ControlLoop, meddle: Callable[[ControlLoop, str], None]
) -> None:
    old = await deployed(loop, CANARY)
    loop.release("shop:2")
    await loop.until(lambda: loop.status["weights"]["applied"] == 25)
    new = loop.status["currentRevision"]["hash"]
    meddle(loop, old)
    await loop.run(5)
    assert labelled(loop) == {old: {True}, new: {False}}
    assert loop.status["weights"]["applied"] == 25


async def test_our_key_is_taken_out_once_the_pods_have_the_label(loop: ControlLoop) -> None:
    """A client-side apply of the new selector leaves it in; until the pods have the label it leads to none of them."""
    loop.cluster.put(SERVICE, service())
    loop.apply(strategy=CANARY)
    await loop.run(20)
    old = loop.status["stableRevision"]["hash"]
    assert loop.status["services"] == ["checkout"]
    loop.cluster.edit(CHECKOUT, {"spec": {"selector": {STABLE_LABEL: STABLE}}})
    await loop.run(5)
    found = loop.cluster.get(CHECKOUT)
    assert found is not None
    assert found["spec"]["selector"] == asking()["spec"]["selector"]
    assert behind(loop, "checkout") == {old: 4}
    count = len(loop.cluster.writes)
    await loop.run(60)
    assert len(loop.cluster.writes) == count


@pytest.mark.parametrize("way", WAYS)
async def test_the_pods_have_the_label_before_a_service_asks_where_stable_metadata_says_so(
    loop: ControlLoop, way: JSON
) -> None:
    """Then a new selector, as a server-side apply with force sets it, loses nobody's request."""
    ((name, fields),) = way.items()
    early = {name: {**fields, "stableMetadata": {"labels": {STABLE_LABEL: STABLE}}}}
    old = await deployed(loop, early, service())
    assert labelled(loop) == {old: {True}}
    loop.release("shop:2")
    await loop.run(120)
    new = loop.status["stableRevision"]["hash"]
    assert labelled(loop) == {old: {False}, new: {True}}
    selector = {**asking()["spec"]["selector"], HASH_LABEL: None}
    loop.cluster.edit(CHECKOUT, {"spec": {"selector": selector}})
    await loop.run(60)
    assert behind(loop, "checkout") == {new: 4}
    assert loop.status["phase"] == "Healthy"


async def test_a_service_that_comes_after_the_first_pods_leads_to_them(loop: ControlLoop) -> None:
    loop.cluster.drop(CHECKOUT)
    loop.apply(strategy=CANARY)
    await loop.run(5)
    loop.cluster.put(SERVICE, asking())
    await loop.run(5)
    hash_ = loop.status["stableRevision"]["hash"]
    assert behind(loop, "checkout") == {hash_: 4}


@pytest.mark.parametrize("way", WAYS)
async def test_the_old_pods_keep_it_until_the_new_ones_are_endpoints(
    loop: ControlLoop, way: JSON
) -> None:
    old = await deployed(loop, way)
    assert isinstance(loop.kubernetes, Watchful)
    loop.kubernetes.is_late = True
    loop.release("shop:2")
    await loop.run(60)
    new = loop.status["currentRevision"]["hash"]
    assert labelled(loop) == {old: {True}, new: {True}}
    loop.kubernetes.is_late = False
    await loop.run(60)
    assert labelled(loop) == {old: {False}, new: {True}}
    assert loop.status["phase"] == "Healthy"


async def test_a_service_that_the_spec_names_no_longer_goes_along_with_stable(
    loop: ControlLoop,
) -> None:
    await deployed(loop, CANARY)
    put_beside(loop.cluster)
    other = {"stableService": "other", "trafficRouting": {"nginx": {"stableIngresses": ["other"]}}}
    patch = {"spec": {"strategy": {"canary": other}}}
    loop.cluster.edit(KEY.ref, patch)
    await loop.run(10)
    loop.release("shop:2")
    await loop.run(120)
    new = loop.status["stableRevision"]
    assert new["number"] == 2
    assert behind(loop, "checkout") == {new["hash"]: 4}
    assert behind(loop, "other") == {new["hash"]: 4}
    assert written(loop) == []
