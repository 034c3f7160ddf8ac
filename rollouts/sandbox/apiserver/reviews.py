"""Access reviews: "may I?" asked of the API itself. Nothing of them is stored."""

from typing import Any

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.builtins import ACCESS_REVIEW, SELF_REVIEW, SELF_RULES_REVIEW
from rollouts.sandbox.apiserver.errors import ApiError
from rollouts.sandbox.apiserver.rbac import Attempt, Authorizer
from rollouts.sandbox.apiserver.requests import Call
from rollouts.sandbox.apiserver.users import User


def reviewed(call: Call, body: Any, authorizer: Authorizer) -> JSON:
    """
    Return the review with its answer.

    Raises:
        ApiError: 400, it does not say what it asks.
    """
    kind = call.resource.kind
    if call.verb != "create" or not isinstance(body, dict):
        raise ApiError(405, "the server does not allow this method on the requested resource")
    spec = body.get("spec") or {}
    return {
        "kind": kind.name,
        "apiVersion": kind.api_version,
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": _status(call, spec, authorizer),
    }


def _status(call: Call, spec: JSON, authorizer: Authorizer) -> JSON:
    kind, user = call.resource.kind, call.user
    if kind == SELF_REVIEW:
        return {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    if kind == SELF_RULES_REVIEW:
        return _rules(user, spec.get("namespace", ""), authorizer)
    if kind == ACCESS_REVIEW:
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
    attempt = _attempt(spec)
    allowed = authorizer.allows(user, attempt)
    return {"allowed": allowed, "reason": "" if allowed else "no rule grants it"}


def _attempt(spec: JSON) -> Attempt:
    wanted = spec.get("resourceAttributes")
    if wanted:
        return Attempt(
            wanted.get("verb", ""),
            wanted.get("group", ""),
            wanted.get("resource", ""),
            wanted.get("subresource", ""),
            wanted.get("namespace", ""),
            wanted.get("name", ""),
        )
    wanted = spec.get("nonResourceAttributes")
    if not wanted:
        raise ApiError(400, "one of resourceAttributes and nonResourceAttributes is needed")
    return Attempt(wanted.get("verb", ""), path=wanted.get("path", "/"))


def _rules(user: User, namespace: str, authorizer: Authorizer) -> JSON:
    if user.is_admin:
        rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    else:
        rules = list(authorizer.rules(user, namespace))
    paths = [{"verbs": ["get"], "nonResourceURLs": ["/api/*", "/apis/*", "/healthz", "/version"]}]
    return {"resourceRules": rules, "nonResourceRules": paths, "incomplete": False}
