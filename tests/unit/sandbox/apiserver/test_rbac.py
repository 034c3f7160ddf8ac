"""Tokens, users, roles: who may do what, and how a refusal reads."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
)
from rollouts.sandbox.apiserver.rbac import Attempt, Authorizer
from rollouts.sandbox.apiserver.requests import Target, attempt_of
from rollouts.sandbox.apiserver.server import ApiServer
from rollouts.sandbox.apiserver.store import Store
from rollouts.sandbox.apiserver.users import service_account_user, user_named

WORKER = service_account_user("default", "worker")
SUBJECT = {"kind": "ServiceAccount", "name": "worker", "namespace": "default"}


def grant(store: Store, rule: JSON, *, namespace: str = "") -> None:
    role_kind, binding_kind = (
        (ROLE, ROLE_BINDING) if namespace else (CLUSTER_ROLE, CLUSTER_ROLE_BINDING)
    )
    meta = {"name": "worker"} | ({"namespace": namespace} if namespace else {})
    store.create(role_kind, {"metadata": meta, "rules": [rule]})
    reference = {"apiGroup": role_kind.group, "kind": role_kind.name, "name": "worker"}
    store.create(binding_kind, {"metadata": meta, "subjects": [SUBJECT], "roleRef": reference})


@pytest.mark.parametrize(
    ("attempt", "allowed"),
    [
        (Attempt("get", "apps", "deployments", namespace="default"), True),
        (Attempt("get", "apps", "deployments", "status", "default"), False),
        (Attempt("update", "apps", "deployments", namespace="default"), False),
        (Attempt("get", "", "deployments", namespace="default"), False),
        (Attempt("create", "authorization.k8s.io", "selfsubjectaccessreviews"), True),
        (Attempt("get", path="/version"), True),
        (Attempt("get", path="/metrics"), False),
    ],
)
def test_a_rule_grants_exactly_what_it_says(store: Store, attempt: Attempt, allowed: bool) -> None:
    grant(store, {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]})
    assert Authorizer(store).allows(user_named(WORKER), attempt) is allowed


def test_names_wildcards_and_subresources(store: Store) -> None:
    rule = {"apiGroups": ["*"], "resources": ["*/status"], "verbs": ["*"], "resourceNames": ["one"]}
    grant(store, rule)
    authorizer, user = Authorizer(store), user_named(WORKER)
    assert authorizer.allows(user, Attempt("patch", "apps", "deployments", "status", "x", "one"))
    assert not authorizer.allows(
        user, Attempt("patch", "apps", "deployments", "status", "x", "two")
    )
    assert not authorizer.allows(user, Attempt("patch", "apps", "deployments", "", "x", "one"))


def test_a_role_is_for_its_namespace(store: Store) -> None:
    grant(
        store, {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, namespace="kube-system"
    )
    authorizer, user = Authorizer(store), user_named(WORKER)
    assert authorizer.allows(user, Attempt("get", "", "pods", namespace="kube-system"))
    assert not authorizer.allows(user, Attempt("get", "", "pods", namespace="default"))
    assert not authorizer.allows(user, Attempt("list", "", "pods"))


@pytest.fixture
async def guarded(store: Store) -> AsyncIterator[ApiServer]:
    server = ApiServer(store, tokens={"t-admin": "kubernetes-admin", "t-worker": WORKER})
    await server.start()
    yield server
    await server.stop()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_tokens_over_http(guarded: ApiServer) -> None:
    pods = "/api/v1/namespaces/default/pods"
    async with ClientSession(guarded.url) as http:
        async with http.get(pods, headers=bearer("t-admin")) as response:
            assert response.status == 200
        for headers in (bearer("wrong"), {}):
            async with http.get(pods, headers=headers) as response:
                assert response.status == 401
                assert (await response.json())["message"] == "Unauthorized"
        async with http.get(f"{pods}/one", headers=bearer("t-worker")) as response:
            assert response.status == 403
            assert (await response.json())["message"] == (
                'pods "one" is forbidden: User "system:serviceaccount:default:worker" cannot get '
                'resource "pods" in API group "" in the namespace "default"'
            )
    assert [entry.status for entry in guarded.audit] == [200, 401, 401, 403]
    assert guarded.audit[-1].user == WORKER


async def test_applying_what_is_not_there_needs_create(guarded: ApiServer, store: Store) -> None:
    grant(store, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]})
    url = "/api/v1/namespaces/default/configmaps/one?fieldManager=me"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}
    headers = bearer("t-worker") | {"Content-Type": "application/apply-patch+yaml"}
    async with (
        ClientSession(guarded.url) as http,
        http.patch(url, json=body, headers=headers) as response,
    ):
        assert response.status == 403
        assert "cannot create resource" in (await response.json())["message"]


async def test_one_may_ask_what_one_may(guarded: ApiServer, store: Store) -> None:
    grant(store, {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})
    url = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answers = []
    async with ClientSession(guarded.url, headers=bearer("t-worker")) as http:
        for verb in ("list", "delete"):
            body = {"spec": {"resourceAttributes": {"verb": verb, "resource": "pods"}}}
            async with http.post(url, json=body) as response:
                assert response.status == 201
                answers.append((await response.json())["status"]["allowed"])
    assert answers == [True, False]


def test_who_may_see_one_may_list_and_watch_that_one(store: Store) -> None:
    rule = {"apiGroups": [""], "resources": ["services"], "resourceNames": ["web"]}
    grant(store, {**rule, "verbs": ["list"]})
    authorizer, user = Authorizer(store), user_named(WORKER)
    services = Target("", "v1", "services", "default")
    assert authorizer.allows(user, attempt_of("list", services, "metadata.name=web"))
    for selector in ("", "metadata.name=api", "metadata.name!=web", "spec.type=web"):
        assert not authorizer.allows(user, attempt_of("list", services, selector))
