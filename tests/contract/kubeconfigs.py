"""What a kubeconfig says of its one cluster and user, and the same cluster for somebody else."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml


@dataclass(frozen=True)
class Access:
    """Where an API server is, what shows that it is the right one, and who we are there."""

    server: str
    authority: str
    token: str

    @classmethod
    def of(cls, kubeconfig: Path) -> Self:
        found: Any = yaml.safe_load(kubeconfig.read_text())
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        return cls(cluster["server"], cluster["certificate-authority"], user["token"])

    @property
    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)


def with_token(kubeconfig: Path, token: str, directory: Path) -> Path:
    """Return the kubeconfig of who has the token."""
    document = yaml.safe_load(kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    made = directory / f"{kubeconfig.name}-with-token"
    made.write_text(yaml.safe_dump(document))
    return made
