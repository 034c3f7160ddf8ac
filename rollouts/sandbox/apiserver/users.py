"""Who a bearer token belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass

from rollouts.sandbox.apiserver.errors import ApiError

ADMIN_NAME = "kubernetes-admin"
MASTERS = "system:masters"
_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """A user and the groups they are in; members of system:masters may do everything."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        return MASTERS in self.groups

    @property
    def service_account(self) -> tuple[str, str] | None:
        """(namespace, name) of the service account that this user is, if it is one."""
        if not self.name.startswith(_SERVICE_ACCOUNT):
            return None
        namespace, _, name = self.name.removeprefix(_SERVICE_ACCOUNT).partition(":")
        return namespace, name


ADMIN = User(ADMIN_NAME, (MASTERS, "system:authenticated"))


def user_named(name: str) -> User:
    """Return the user of that name: `kubernetes-admin` is the admin, service accounts get their groups."""
    if name == ADMIN_NAME:
        return ADMIN
    user = User(name, ("system:authenticated",))
    if user.service_account is None:
        return user
    namespace, _ = user.service_account
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(name, (*groups, "system:authenticated"))


def service_account_user(namespace: str, name: str) -> str:
    """Return the user name of a service account, as tokens are mapped to."""
    return f"{_SERVICE_ACCOUNT}{namespace}:{name}"


class Users:
    """
    Bearer tokens and their users; with no tokens at all, everybody is the admin.

    The token "" stands for requests that bring none: kubectl sends no token over plain HTTP.
    """

    def __init__(self, tokens: Mapping[str, str] | None) -> None:
        self._users = {token: user_named(name) for token, name in (tokens or {}).items()}
        self._open = tokens is None

    def authenticate(self, authorization: str) -> User:
        """
        Return whose request it is.

        Raises:
            ApiError: 401, the token is unknown, or there is none and there has to be one.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.strip() in self._users:
            return self._users[token.strip()]
        if self._open:
            return ADMIN
        if not authorization and "" in self._users:
            return self._users[""]
        raise ApiError(401, "Unauthorized")
