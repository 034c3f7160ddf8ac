"""The tables of fields in the documentation: every field has a row, and its default is the model's."""

import re

import pytest
from pydantic import BaseModel

from rollouts.model.app_metrics import AppMetrics
from rollouts.model.criteria import Criterion
from rollouts.model.header_and_mirror_routes import (
    HeaderMatch,
    RequestMatch,
    SetHeaderRoute,
    SetMirrorRoute,
)
from rollouts.model.routers.gateway import GatewayRouting
from rollouts.model.routers.nginx import NginxRouting
from rollouts.model.routers.smi import SMIRouting
from rollouts.model.routers.spec import RouterSpec
from rollouts.model.sources import PROMQL_VARIABLES
from rollouts.model.spec import RolloutSpec, WorkloadRef
from rollouts.model.strategy import STEP_KINDS, BlueGreenStrategy, CanaryStrategy
from rollouts.traffic.routers import ROUTERS
from tests.test_docs import PAGES, first_column, section, text_of
from tests.unit.controller.edits import fields as editable_fields


def field_names(model: type[object]) -> set[str]:
    fields = getattr(model, "model_fields", {})
    return {str(field.alias or name) for name, field in fields.items()}


def test_it_is_said_of_every_field_what_an_edit_does() -> None:
    assert first_column(section("docs/editing.md", "## Every field")) == set(editable_fields())


def test_every_field_is_described() -> None:
    spec = first_column(section("docs/canary-nginx.md", "## Fields of the spec"))
    assert {name.split(".")[0] for name in spec} == field_names(RolloutSpec) - {"workloadRef"}
    canary = first_column(section("docs/canary-nginx.md", "## Fields of the canary"))
    assert {name.split(".")[0] for name in canary} == field_names(CanaryStrategy)
    routing = {name.split(".")[-1] for name in canary if ".nginx." in name}
    assert routing == field_names(NginxRouting)
    criteria = first_column(section("docs/success-criteria.md", "## All fields"))
    assert {name.split(".")[0] for name in criteria} >= field_names(Criterion)


@pytest.mark.parametrize(
    ("page", "heading", "model"),
    [
        ("docs/canary-nginx.md", "## Fields of the spec", RolloutSpec),
        ("docs/canary-nginx.md", "## Fields of the canary", CanaryStrategy),
        ("docs/canary-replicas.md", "## Fields", CanaryStrategy),
        ("docs/blue-green.md", "## Fields", BlueGreenStrategy),
        ("docs/success-criteria.md", "## All fields", Criterion),
        ("docs/success-criteria.md", "### The app's own metrics", AppMetrics),
    ],
)
def test_defaults_are_those_of_the_models(page: str, heading: str, model: type[BaseModel]) -> None:
    said: dict[str, str] = {}
    for row in re.findall(r"^\| `.*", section(page, heading), re.MULTILINE):
        names, defaults = (re.findall(r"[^`,\s]+", cell) for cell in row.split("|")[1:3])
        said |= dict(zip(names, defaults * len(names), strict=False))
    for name, field in model.model_fields.items():
        if isinstance(field.default, int | float | str):
            alias = str(field.alias or name)
            assert said.get(alias, str(field.default).lower()) == str(field.default).lower(), alias
    assert said


def undescribed(router: type[RouterSpec], pages: list[str]) -> set[str]:
    """Return the fields of a router's part of the spec that have no row in any page."""
    name, described = f"trafficRouting.{router.field}", set()
    for part in (part for page in pages for part in page.split("\n## ")):
        rows = first_column(part)
        described |= {row.removeprefix(f"{name}.") for row in rows if row.startswith(f"{name}.")}
        if re.search(f"[Oo]f `{name}`", part):
            described |= rows
    return field_names(router) - described


@pytest.mark.parametrize("router", [each.spec for each in ROUTERS], ids=lambda each: each.field)
def test_every_router_has_a_page(router: type[RouterSpec]) -> None:
    assert not undescribed(router, [page.read_text(encoding="utf-8") for page in PAGES])


@pytest.mark.parametrize(
    ("page", "heading", "models"),
    [
        ("docs/blue-green.md", "## Fields", (BlueGreenStrategy,)),
        ("docs/smi.md", "## Fields", (SMIRouting,)),
        ("docs/gateway-api.md", "## Fields", (GatewayRouting,)),
        (
            "docs/header-and-mirror-routes.md",
            "## Fields",
            (SetHeaderRoute, HeaderMatch, SetMirrorRoute, RequestMatch),
        ),
    ],
)
def test_every_field_has_a_row_of_its_own_page(
    page: str, heading: str, models: tuple[type[object], ...]
) -> None:
    described = {
        name.split(".")[-1].removesuffix("[]") for name in first_column(section(page, heading))
    }
    assert described == set().union(*map(field_names, models))


def test_every_field_of_a_workload_ref_is_described() -> None:
    described = first_column(text_of("docs/adopting.md"))
    assert {f"workloadRef.{name}" for name in field_names(WorkloadRef)} <= described


def test_every_kind_of_step_is_described() -> None:
    steps = first_column(section("docs/canary-nginx.md", "## Steps"))
    assert {step.split(":")[0] for step in steps} == set(STEP_KINDS)


def test_what_a_canary_without_a_router_has_is_described() -> None:
    described = first_column(section("docs/canary-replicas.md", "## Fields"))
    tolerance = {"unreadySeconds", "replicaProgressThreshold"}
    assert described == {"steps", "maxSurge", "maxUnavailable", *tolerance}


def test_every_variable_of_a_query_is_described() -> None:
    text = section("docs/success-criteria.md", "### Queries")
    assert set(re.findall(r"\{\{ ([\w.]+) \}\}", text)) == PROMQL_VARIABLES
