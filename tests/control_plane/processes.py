"""
A real control plane on loopback: etcd, kube-apiserver and kube-controller-manager.

It is one that a test may break: nothing is synced to a disk, and it ends with the process that
started it. RBAC is on. There are no kubelets and no scheduler, so pods stay as tests make them;
the controllers that would evict them from nodes without heartbeats are off.
"""

import base64
import json
import os
import secrets
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

import yaml

from rollouts.model.kinds import JSON
from rollouts.sandbox import tether
from rollouts.sandbox.network import Network
from tests.control_plane.build import BUILT, DEFAULT_VERSION, PROGRAMS, is_complete
from tests.waiting import comes_true

START_SECONDS = 60.0
STOP_SECONDS = 10.0
SECURE_PORT, ETCD_PORT, PEER_PORT, MANAGER_PORT = 6443, 2379, 2380, 10257
_UNAVAILABLE = (urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError)
_P256_KEY = bytes.fromhex("30310201010420"), bytes.fromhex("a00a06082a8648ce3d030107")
"""What is around the 32 bytes of a private key in RFC 5915's ECPrivateKey, for the curve P-256."""


class Absent(Exception):
    """There are no binaries; the text says where they were looked for, and what makes them."""


def binaries() -> Path:
    """
    Return the directory of the three programs: KUBEBUILDER_ASSETS, or else what we have built.

    Raises:
        Absent: they are not there.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        if not is_complete(Path(assets)):
            raise Absent(f"KUBEBUILDER_ASSETS={assets} lacks one of {', '.join(PROGRAMS)}")
        return Path(assets)
    built = BUILT / DEFAULT_VERSION
    if not is_complete(built):
        raise Absent("there is no real control plane; `make control-plane` builds one")
    return built


class ControlPlane:
    """`with ControlPlane(binaries(), directory) as real:` – it answers from then on."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self._programs = programs
        self._directory = directory
        self._network = Network.claim()
        self._running: list[subprocess.Popen[bytes]] = []
        self._token = secrets.token_urlsafe(24)
        self.kubeconfig = directory / "kubeconfig"
        self.url = f"https://{self.address}:{SECURE_PORT}"
        self.etcd_url = f"http://{self.address}:{ETCD_PORT}"

    @property
    def address(self) -> str:
        return self._network.control_plane

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what runs, the last started first: without etcd the API server would wait for it."""
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
        self._network.release()

    def compact(self) -> None:
        """
        Have etcd forget everything but the present, as an API server does every five minutes.

        It looks every few seconds how much is forgotten, and forgets what it has cached of that.
        """
        latest = self._etcd("range", {"key": _base64("\0")})["header"]["revision"]
        self._etcd("put", {"key": _base64("compact_rev_key"), "value": _base64(latest)})
        self._etcd("compaction", {"revision": latest, "physical": True})

    def _etcd(self, operation: str, question: JSON) -> JSON:
        """Ask etcd over its JSON gateway, where keys are in base64 and numbers are strings."""
        url = f"{self.etcd_url}/v3/kv/{operation}"
        with urllib.request.urlopen(url, json.dumps(question).encode(), timeout=5) as response:
            found: JSON = json.load(response)
        return found

    def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write_credentials()
        self._run("etcd", *self._etcd_flags())
        self._run("kube-apiserver", *self._api_server_flags())
        self._until(self._is_ready, "the API server")
        self._run("kube-controller-manager", *self._controller_manager_flags())
        self._until(self._has_controllers, "the controller manager")

    def _run(self, name: str, *flags: str) -> None:
        program = str(self._programs / name)
        argv = [sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid()), program]
        with (self._directory / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                [*argv, *flags],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(started)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        def answers() -> bool:
            ended = [each for each in self._running if each.poll() is not None]
            return bool(ended) or condition()

        if not comes_true(answers, START_SECONDS) or not condition():
            logs = ", ".join(str(each) for each in sorted(self._directory.glob("*.log")))
            raise RuntimeError(f"{what} does not answer; see {logs}")

    def _etcd_flags(self) -> list[str]:
        peer = f"http://{self.address}:{PEER_PORT}"
        return [
            f"--data-dir={self._directory / 'etcd'}",
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
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--secure-port={SECURE_PORT}",
            f"--cert-dir={self._directory}",  # it makes its own certificate there
            "--endpoint-reconciler-type=none",  # a loopback address is refused as an endpoint
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._directory / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._directory / 'accounts.key'}",
            f"--service-account-signing-key-file={self._directory / 'accounts.key'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged",
        ]

    def _controller_manager_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={self._directory / 'accounts.key'}",
            f"--root-ca-file={self._directory / 'apiserver.crt'}",
            f"--bind-address={self.address}",
            f"--secure-port={MANAGER_PORT}",
            f"--cert-dir={self._directory / 'manager'}",
            "--leader-elect=false",
            "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
        ]

    def _write_credentials(self) -> None:
        head, tail = _P256_KEY
        key = base64.encodebytes(head + secrets.token_bytes(32) + tail).decode()
        accounts = f"-----BEGIN EC PRIVATE KEY-----\n{key}-----END EC PRIVATE KEY-----\n"
        (self._directory / "accounts.key").write_text(accounts)
        (self._directory / "tokens.csv").write_text(f'{self._token},admin,admin,"system:masters"\n')
        authority = str(self._directory / "apiserver.crt")
        cluster = {"server": self.url, "certificate-authority": authority}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [{"name": "real", "user": {"token": self._token}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "real"}}],
            "current-context": "real",
        }
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def _is_ready(self) -> bool:
        return self._answers("/readyz")

    def _has_controllers(self) -> bool:
        """Return whether they have begun: one of them makes this account in each namespace."""
        return self._answers("/api/v1/namespaces/default/serviceaccounts/default")

    def _answers(self, path: str) -> bool:
        authority = self._directory / "apiserver.crt"
        if not authority.exists():
            return False
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            trusted = ssl.create_default_context(cafile=str(authority))
            with urllib.request.urlopen(request, timeout=2, context=trusted) as response:
                return bool(response.status == 200)
        except _UNAVAILABLE:
            return False


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
