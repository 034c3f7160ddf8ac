"""No body, patch or query makes the server stumble: whatever comes is done or refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.model.kinds import CRD, DEPLOYMENT, JSON, POD, SERVICE, Kind
from rollouts.model.routers.nginx import INGRESS
from rollouts.sandbox.apiserver.builtins import BUILTIN, CONFIG_MAP, ROLE_BINDING, SECRET
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.objects import clone
from rollouts.sandbox.apiserver.patches import json_patch
from rollouts.sandbox.apiserver.registry import Registry
from rollouts.sandbox.apiserver.shapes import shape_of
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.strategic import strategic_merge
from tests.unit.sandbox.apiserver.conftest import crd_body, deployment, gadget

GADGET = Kind("example.dev", "v1", "gadgets", "Gadget")
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
PATHS = [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]
META = {"name": "one", "labels": {"a": "b"}, "ownerReferences": [], "annotations": {"a": "b"}}
PORT = {"name": "http", "port": 80, "targetPort": "http"}
EXAMPLES: list[tuple[Kind, JSON]] = [
    (DEPLOYMENT, deployment()),
    (GADGET, gadget(parts=[{"name": "x"}], tags={"a": "b"}, free={"a": 1}, nick="abc")),
    (CRD, crd_body()),
    (SERVICE, {"metadata": META, "spec": {"selector": {"a": "b"}, "ports": [PORT]}}),
    (INGRESS, {"metadata": META, "spec": {"rules": [{"host": "a.test", "http": {"paths": PATHS}}]}}),
    (POD, {"metadata": META, "spec": deployment()["spec"]["template"]["spec"]}),
    (SECRET, {"metadata": META, "stringData": {"a": "b"}}),
    (CONFIG_MAP, {"metadata": META, "data": {"a": "b"}}),
    (ROLE_BINDING, {"metadata": META, "roleRef": {"kind": "Role", "name": "x"}, "subjects": []}),
]  # fmt: skip
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 7, -1, 1.5, True, [], {}, [None], ["x"], [[]], {"a": None}, {"name": 7}, [{}]]
).map(clone)


@contextmanager
def done_or_refused(*codes: int) -> Iterator[None]:
    """Whatever happens inside ends well, or with one of these refusals."""
    refused = 0
    try:
        yield
    except ApiError as refusal:
        refused = refusal.code
    assert refused in (0, *codes)


def store_for(kind: Kind) -> Store:
    store = Store()
    if kind == GADGET:
        store.create(CRD, crd_body())
    return store


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in a JSON value, its own first."""
    found = [path]
    if isinstance(value, dict):
        for key, item in value.items():
            found += places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += places(item, (*path, number))
    return found


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Kind, JSON, JSON]:
    """A good body, and the same with junk in one or two places."""
    kind, good = draw(st.sampled_from(EXAMPLES))
    body = clone(good)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(body)[1:] or [("spec",)]))
        holder = body
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = draw(JUNK)
    return kind, good, body


@settings(max_examples=300)
@given(damaged())
def test_writes_are_done_or_refused(case: tuple[Kind, JSON, JSON]) -> None:
    kind, good, body = case
    with done_or_refused(400, 403, 404, 422, 500):
        store_for(kind).create(kind, body)
    store = store_for(kind)
    made = store.create(kind, good)["metadata"]
    if isinstance(body.get("metadata", {}), dict):
        place = {"name": made["name"], "namespace": made.get("namespace", "")}
        with done_or_refused(400, 409, 422):
            store.replace(kind, body | {"metadata": body.get("metadata", {}) | place})


OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "?"])},
    optional={
        "path": st.sampled_from(
            ["", "/", "/spec", "/spec/x", "/metadata/labels/a", "/a/0", "x", 7]
        ),
        "from": st.sampled_from(["/spec", "/nothing", ""]),
        "value": JUNK,
    },
)


@given(st.one_of(JUNK, st.lists(st.one_of(OPERATIONS, JUNK), max_size=3)))
def test_json_patches_are_done_or_refused(patch: Any) -> None:
    with done_or_refused(400, 422):
        json_patch(deployment() | {"a": [1]}, patch)


@given(damaged())
def test_strategic_patches_are_done_or_refused(case: tuple[Kind, JSON, JSON]) -> None:
    _, _, body = case
    with done_or_refused(400):
        strategic_merge(deployment(), body, shape_of(Registry(BUILTIN).of(DEPLOYMENT)))
