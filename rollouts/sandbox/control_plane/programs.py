"""
The three programs of a control plane: their flags, and the files that these name. Runs nothing.

It is a control plane that a test may break: nothing is synced to a disk. RBAC is on. Nodes send
no heartbeats, so the controllers that would evict pods from silent ones are off.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rollouts.sandbox.apiserver.users import ADMIN_NAME, MASTERS
from rollouts.sandbox.credentials import write_kubeconfig, write_private

ETCD, API_SERVER, CONTROLLER_MANAGER = "etcd", "kube-apiserver", "kube-controller-manager"
PROGRAMS = (ETCD, API_SERVER, CONTROLLER_MANAGER)
MANAGER_NAME, NODE_NAME = "system:kube-controller-manager", "system:node:sandbox"
"""As whom the controllers ask, and as whom the node, its scheduler and its data plane do."""
_P256_KEY = bytes.fromhex("30310201010420"), bytes.fromhex("a00a06082a8648ce3d030107")
"""What is around the 32 bytes of a private key in RFC 5915's ECPrivateKey, for the curve P-256."""
_AUDITED = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": [MANAGER_NAME, NODE_NAME, "system:apiserver"]},
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "Metadata"},
    ],
}
"""What people and the controller under test ask for, and not what the cluster itself does."""


def are_in(directory: Path) -> bool:
    """Return whether all of the programs are there."""
    return all((directory / name).is_file() for name in PROGRAMS)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where they listen, on one address."""

    api_server: int = 6443
    etcd: int = 2379
    peer: int = 2380
    manager: int = 10257

    @classmethod
    def free(cls, of: Callable[[int], int]) -> "Ports":
        """Return what `of` makes of the usual ones."""
        usual = cls()
        return cls(of(usual.api_server), of(usual.etcd), of(usual.peer), of(usual.manager))


class Programs:
    """The programs in `home`, as they run in `directory`, on `address`."""

    def __init__(
        self, home: Path, directory: Path, address: str, ports: Ports | None = None
    ) -> None:
        self._home = home.absolute()
        self._address = address
        self._ports = ports or Ports()
        self.directory = directory
        self.url = f"https://{address}:{self._ports.api_server}"
        self.etcd_url = f"http://{address}:{self._ports.etcd}"
        self.kubeconfig = directory / "kubeconfig"
        self.authority = directory / "apiserver.crt"
        """The certificate that the API server makes when it starts, and signs itself."""
        self.audit_log = directory / "audit.log"
        self.tokens = {
            name: secrets.token_urlsafe(24) for name in (ADMIN_NAME, MANAGER_NAME, NODE_NAME)
        }

    def write_files(self) -> None:
        """Write the keys and tokens that they are started with, and the admin's kubeconfig."""
        self.directory.mkdir(parents=True, exist_ok=True)
        head, tail = _P256_KEY
        key = base64.encodebytes(head + secrets.token_bytes(32) + tail).decode()
        accounts = f"-----BEGIN EC PRIVATE KEY-----\n{key}-----END EC PRIVATE KEY-----\n"
        write_private(self.directory / "accounts.key", accounts)
        users = (f'{token},{name},{name},"{MASTERS}"\n' for name, token in self.tokens.items())
        write_private(self.directory / "tokens.csv", "".join(users))
        (self.directory / "audit-policy.yaml").write_text(json.dumps(_AUDITED))
        for path, name in ((self.kubeconfig, ADMIN_NAME), (self._managers, MANAGER_NAME)):
            write_kubeconfig(path, self.url, self.tokens[name], self.authority)

    def command(self, name: str) -> list[str]:
        """Return how one of them is run."""
        flags = {
            ETCD: self._etcd_flags,
            API_SERVER: self._api_server_flags,
            CONTROLLER_MANAGER: self._controller_manager_flags,
        }
        return [str(self._home / name), *flags[name]()]

    @property
    def _managers(self) -> Path:
        return self.directory / "manager.kubeconfig"

    def _etcd_flags(self) -> list[str]:
        peer = f"http://{self._address}:{self._ports.peer}"
        return [
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server_flags(self) -> list[str]:
        return [
            f"--etcd-servers={self.etcd_url}",
            f"--bind-address={self._address}",
            f"--advertise-address={self._address}",
            f"--secure-port={self._ports.api_server}",
            f"--cert-dir={self.directory}",  # it makes its own certificate there
            "--endpoint-reconciler-type=none",  # a loopback address is refused as an endpoint
            "--authorization-mode=RBAC",
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",  # some clusters do
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.directory / 'accounts.key'}",
            f"--service-account-signing-key-file={self.directory / 'accounts.key'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged",
            f"--audit-policy-file={self.directory / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-maxsize=4096",  # megabytes: it is one file
        ]

    def _controller_manager_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self._managers}",
            f"--service-account-private-key-file={self.directory / 'accounts.key'}",
            f"--root-ca-file={self.authority}",
            f"--bind-address={self._address}",
            f"--secure-port={self._ports.manager}",
            f"--cert-dir={self.directory / 'manager'}",
            "--leader-elect=false",
            "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
        ]
