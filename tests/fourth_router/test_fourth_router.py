"""What follows from two files: a made-up router is watched, indexed, permitted, rendered and cleared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.controller.index import Index
from rollouts.controller.manifests import CLUSTER_RULES
from rollouts.controller.watches import WATCHED
from rollouts.core.facts import strategies_differ, strategy_words
from rollouts.errors import InvalidSpec
from rollouts.model.crd import crd
from rollouts.model.kinds import CRD, JSON, ROLLOUT, SERVICE, Ref
from rollouts.model.rollout_key import Key
from rollouts.model.validation import parse_rollout
from rollouts.ports import Scope
from tests.fakes.cluster import FakeCluster
from tests.fakes.crds import definition
from tests.fakes.kubernetes import rollout, service
from tests.fourth_router.router import FerryRouter
from tests.fourth_router.spec import CROSSING
from tests.simulation import dataplane
from tests.simulation.dataplane import NAMESPACE, Shares
from tests.simulation.kubelets import Behaviour
from tests.simulation.settled_invariants import not_cleaned_up
from tests.simulation.setups import NGINX, SETUPS, Setup, canary
from tests.simulation.story import Story
from tests.test_docs import PAGES
from tests.test_documented_fields import undescribed
from tests.unit.cli.conftest import FakeRequests, Ran
from tests.unit.traffic.test_routers import agrees

FERRY: JSON = {"ferry": {"crossings": ["checkout"]}}


def crossing(name: str = "checkout") -> JSON:
    return {
        "apiVersion": CROSSING.api_version,
        "kind": CROSSING.name,
        "metadata": {"namespace": NAMESPACE, "name": name, "uid": "c1"},
        "spec": {"service": "checkout"},
    }


def released(routing: Any = FERRY, *steps: JSON) -> JSON:
    body = rollout([*steps] or [{"setWeight": 5}])
    body["metadata"]["uid"] = "u1"
    body["spec"]["strategy"]["canary"]["trafficRouting"] = routing
    return body


def test_its_spec_is_read_and_its_field_is_in_the_crd() -> None:
    spec = parse_rollout(released())
    assert strategy_words(spec) == "canary (ferry)"
    assert strategies_differ(spec, parse_rollout(released({"ferry": {"crossings": ["other"]}})))
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    found = schema["properties"]["strategy"]["properties"]["canary"]["properties"]
    assert "crossings" in found["trafficRouting"]["properties"]["ferry"]["properties"]
    with pytest.raises(InvalidSpec, match="give nginx, smi, gatewayAPI or ferry"):
        parse_rollout(released({}))


def test_what_it_can_not_do_is_said_of_the_step() -> None:
    match = [{"headerName": "x-tester", "headerValue": {"exact": "1"}}]
    header = {"setHeaderRoute": {"name": "testers", "match": match}}
    with pytest.raises(InvalidSpec) as caught:
        parse_rollout(released(FERRY, header))
    (error,) = caught.value.errors
    assert error.field == "spec.strategy.canary.steps[0].setHeaderRoute"
    assert error.reason == "a ferry asks nobody for headers"


def test_its_kind_is_watched_once_its_crd_is_there() -> None:
    assert WATCHED[CROSSING] == Scope(versions=("v1",), needed=False)
    assert CROSSING.crd_name in WATCHED[CRD].names


def test_the_controller_may_write_it() -> None:
    (rule,) = [each for each in CLUSTER_RULES if CROSSING.group in each["apiGroups"]]
    assert rule["resources"] == ["crossings"]
    assert rule["verbs"] == ["list", "watch", "create", "patch", "delete"]
    (of_crds,) = [each for each in CLUSTER_RULES if CRD.group in each["apiGroups"]]
    assert CROSSING.crd_name in of_crds["resourceNames"]


@pytest.mark.parametrize("given", ["checkout", {"crossings": "checkout"}, {"crossings": {}}])
def test_a_rollout_hears_of_what_it_names_and_a_wrong_one_of_its_crd(given: Any) -> None:
    cluster = FakeCluster()
    index, key = Index(cluster), Key("shop", "checkout")
    crossings, definitions = Ref(CROSSING, "shop", "far"), Ref(CRD, "", CROSSING.crd_name)
    cluster.put(ROLLOUT, released({"ferry": {"crossings": ["far"]}}))
    index.rollouts(key.ref)
    assert index.rollouts(crossings) == index.rollouts(definitions) == frozenset([key])
    cluster.put(ROLLOUT, released({"ferry": given}))
    index.rollouts(key.ref)
    assert index.rollouts(definitions) == frozenset([key])


@pytest.mark.parametrize("forbidden", [(), (CROSSING.name,)])
def test_lint_does_not_call_missing_what_it_may_not_read(
    rollouts: Callable[..., Ran], cluster: FakeRequests, forbidden: tuple[str, ...]
) -> None:
    cluster.add("Rollout", released())
    cluster.forbidden = forbidden
    said = rollouts("lint", "--live", "checkout").out
    assert ("CrossingNotFound" in said) is not bool(forbidden)
    assert ("crossings can't be read" in said) is bool(forbidden)


def test_lint_looks_for_it_in_the_same_files(rollouts: Callable[..., Ran], tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all([released(), crossing("chekout")]))
    said = rollouts("lint", file).out
    assert "ferry.crossings[0]: there is no Crossing checkout in these files; did you" in said


def test_it_answers_what_every_router_has_to_answer() -> None:
    agrees(FerryRouter())


def test_its_page_is_asked_for() -> None:
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    assert undescribed(FerryRouter.spec, pages) == {"crossings"}
    page = Path(__file__).with_name("ferry.md").read_text(encoding="utf-8")
    assert undescribed(FerryRouter.spec, [*pages, page]) == set()


# Objects in, objects out: the simulation, with a data plane that reads Crossings.


def crossed(read: Any) -> Any:
    """Yield who gets the requests at each Crossing, as its data plane would read it."""
    for each in read.select(CROSSING, NAMESPACE):
        canary_, shares = each["spec"].get("canary"), Shares()
        part = canary_["percent"] / 100 if canary_ else 0.0
        shares[each["spec"]["service"]] = 1 - part
        if part:
            shares[canary_["service"]] = part
        yield f"Crossing {each['metadata']['name']}", shares


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    """Return a canary on the ferry whose first version is stable; an Ingress is there as well."""
    monkeypatch.setattr(dataplane, "ENTRY_POINTS", (*dataplane.ENTRY_POINTS, crossed))
    objects = (
        (CRD, definition(CROSSING, "v1")),
        (CROSSING, crossing()),
        (SERVICE, service()),
        *SETUPS["router"].objects[1:],
    )
    story = Story(Setup(canary(FERRY), objects), 7)
    assert story.settle().phase == "Healthy", "\n".join(story.log)
    return story


def part(story: Story) -> Any:
    found = story.present.get(Ref(CROSSING, NAMESPACE, "checkout"))
    return (found or {})["spec"].get("canary")


def test_it_carries_a_good_release_and_nothing_is_left(story: Story) -> None:
    new = story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 25)
    assert story.shares()["Crossing checkout"][new] == 0.25
    assert story.settle().phase == "Healthy", "\n".join(story.log)
    assert story.is_stable(new)
    assert part(story) is None
    assert not_cleaned_up(story) == []


def test_a_bad_release_goes_back_over_it(story: Story) -> None:
    story.release("shop:2", Behaviour(error_rate=0.4))
    assert story.settle().abort is not None
    assert part(story) is None


def test_what_is_left_of_it_goes_when_the_spec_names_it_no_longer(story: Story) -> None:
    both = {"strategy": {"canary": {"trafficRouting": {**FERRY, **NGINX}}}}
    story.edit({"spec": both})
    story.settle()
    story.release("shop:2")
    story.run_until(lambda it: it.status.weights.applied == 25)
    assert part(story)["percent"] == story.route == 25
    story.edit({"spec": {"strategy": {"canary": {"trafficRouting": {"ferry": None}}}}})
    story.run_until(lambda _: part(story) is None, 5)
    assert story.settle().phase == "Healthy", "\n".join(story.log)
