"""
Who may come to the sandbox's API server, and the kubeconfigs with which they do.

Requests without a token are the admin's: over plain HTTP kubectl sends none. The
controller has a token, and with it exactly the permissions of its service account.
"""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.users import ADMIN_NAME, service_account_user


@dataclass(frozen=True, slots=True)
class Kubeconfigs:
    """Where the ways to the API server are written down: the admin's, and the controller's."""

    admin: Path
    controller: Path


class Credentials:
    """
    The tokens of one sandbox.

    The controller is the first ServiceAccount among `manifests`; without one it is the admin.
    """

    def __init__(self, manifests: Iterable[JSON]) -> None:
        account = controller_account(manifests)
        self.controller_user = service_account_user(*account) if account else ADMIN_NAME
        self.controller_token = secrets.token_urlsafe(24)

    @property
    def tokens(self) -> dict[str, str]:
        """Token → user name, as `ApiServer` takes them."""
        return {"": ADMIN_NAME, self.controller_token: self.controller_user}


def controller_account(manifests: Iterable[JSON]) -> tuple[str, str] | None:
    """Return namespace and name of the first ServiceAccount among `manifests`."""
    found = (each["metadata"] for each in manifests if each.get("kind") == "ServiceAccount")
    first = next(found, None)
    return None if first is None else (first.get("namespace", "default"), first["name"])


def write_kubeconfig(
    path: Path, server: str, token: str = "", authority: Path | None = None
) -> None:
    """
    Write a kubeconfig that only we may read; without a token it is the admin's.

    `authority` is the certificate that the server is trusted by, where it has one.
    """
    name = "rollouts-sandbox"
    cluster = {"server": server}
    if authority is not None:
        cluster["certificate-authority"] = str(authority)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token} if token else {}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}
        ],
        "current-context": name,
    }
    write_private(path, yaml.safe_dump(document, sort_keys=False))


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
