"""
Who may do what: Roles, ClusterRoles and their bindings in the store, as RBAC reads them.

Members of system:masters may do everything; everybody may read discovery and review
their own access. Nothing else is granted by default.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollouts.model.kinds import JSON, FrozenJSON, Kind
from rollouts.sandbox.apiserver.builtins import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    REVIEWS,
    ROLE,
    ROLE_BINDING,
)
from rollouts.sandbox.apiserver.errors import ApiError, qualified
from rollouts.sandbox.apiserver.users import User

if TYPE_CHECKING:
    from rollouts.sandbox.apiserver.store import Store

_OPEN_PATHS = ("/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz", "/debug")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody wants to do: a verb on a resource, or on a `path` that holds no objects."""

    verb: str
    group: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def resource(self) -> str:
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


class Authorizer:
    """Answers whether a user may do something."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    def allows(self, user: User, attempt: Attempt) -> bool:
        """Return whether some rule that is bound to the user grants the attempt."""
        if user.is_admin:
            return True
        if attempt.path:
            return attempt.path == "/" or attempt.path.startswith(_OPEN_PATHS)
        if attempt.group in {kind.group for kind in REVIEWS} and attempt.plural.startswith("self"):
            return attempt.verb == "create"
        return any(_grants(rule, attempt) for rule in self.rules(user, attempt.namespace))

    def require(self, user: User, attempt: Attempt) -> None:
        """
        Let an attempt pass.

        Raises:
            ApiError: 403, in the API server's words.
        """
        if not self.allows(user, attempt):
            raise _forbidden(user, attempt)

    def rules(self, user: User, namespace: str) -> Iterator[JSON]:
        """Yield every rule that is bound to the user, cluster-wide or in the namespace."""
        for binding in self._store.scan(self._store.registry.of(CLUSTER_ROLE_BINDING)):
            if _binds(binding, user):
                yield from self._rules_of(binding["roleRef"], "")
        if namespace:
            for binding in self._store.scan(self._store.registry.of(ROLE_BINDING), namespace):
                if _binds(binding, user):
                    yield from self._rules_of(binding["roleRef"], namespace)

    def _rules_of(self, reference: JSON, namespace: str) -> list[JSON]:
        kind: Kind = CLUSTER_ROLE if reference.get("kind") == CLUSTER_ROLE.name else ROLE
        where = namespace if kind == ROLE else ""
        role = self._store.get(kind, where, reference.get("name", ""))
        return (role or {}).get("rules") or []


def _binds(binding: FrozenJSON, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name")
        if kind == "User" and name == user.name:
            return True
        if kind == "Group" and name in user.groups:
            return True
        if kind == "ServiceAccount" and user.service_account == (subject.get("namespace"), name):
            return True
    return False


def _grants(rule: JSON, attempt: Attempt) -> bool:
    names = rule.get("resourceNames")
    return (
        _covers(rule.get("verbs"), attempt.verb)
        and _covers(rule.get("apiGroups"), attempt.group)
        and _covers_resource(rule.get("resources"), attempt)
        and (not names or attempt.name in names)
    )


def _covers(granted: list[str] | None, wanted: str) -> bool:
    return granted is not None and ("*" in granted or wanted in granted)


def _covers_resource(granted: list[str] | None, attempt: Attempt) -> bool:
    if _covers(granted, attempt.resource):
        return True
    return bool(attempt.subresource) and f"*/{attempt.subresource}" in (granted or ())


def _forbidden(user: User, attempt: Attempt) -> ApiError:
    if attempt.path:
        return ApiError(
            403, f'forbidden: User "{user.name}" cannot {attempt.verb} path "{attempt.path}"'
        )
    where = (
        f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
    )
    what = qualified(attempt.plural, attempt.group)
    about = f'{what} "{attempt.name}"' if attempt.name else what
    message = (
        f'{about} is forbidden: User "{user.name}" cannot {attempt.verb} resource '
        f'"{attempt.resource}" in API group "{attempt.group}" {where}'
    )
    details = {"name": attempt.name, "group": attempt.group, "kind": attempt.plural}
    return ApiError(403, message, details={key: value for key, value in details.items() if value})
