"""
Who may come to the sandbox's API server, and the kubeconfigs with which they do.

Requests without a token are the admin's: over plain HTTP kubectl sends none. The
controller has a token, and with it exactly the permissions of its service account.
"""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import yaml

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.users import ADMIN_NAME, service_account_user


class Credentials:
    """
    The tokens of one sandbox.

    The controller is the first ServiceAccount among `manifests`; without one it is the admin.
    """

    def __init__(self, manifests: Iterable[JSON]) -> None:
        accounts = [each for each in manifests if each.get("kind") == "ServiceAccount"]
        self.controller_user = ADMIN_NAME
        if accounts:
            meta = accounts[0]["metadata"]
            self.controller_user = service_account_user(
                meta.get("namespace", "default"), meta["name"]
            )
        self.controller_token = secrets.token_urlsafe(24)

    @property
    def tokens(self) -> dict[str, str]:
        """Token → user name, as `ApiServer` takes them."""
        return {"": ADMIN_NAME, self.controller_token: self.controller_user}


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
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(document, file, sort_keys=False)
