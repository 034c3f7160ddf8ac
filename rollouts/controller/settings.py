"""What can be set on a controller, with the defaults that the chart and the CLI show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rollouts.analysis.series import REPLICA_LABELS

if TYPE_CHECKING:  # brings the models, which naming a setting need not
    from rollouts.controller.router_pages import RouterPlace


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Everything that `rollouts controller` can be told."""

    kubeconfig: Path | None = None
    """None: what kubectl would use, else the service account of the pod."""
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    """Empty: all."""
    prometheus_url: str = field(default="", repr=False)
    """Empty: success criteria can't be measured, and say so."""
    prometheus_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    prometheus_token_file: Path | None = None
    """Holds a bearer token; like all secrets in files it is read again for each request."""
    prometheus_username: str = ""
    prometheus_password_file: Path | None = None
    prometheus_ca_file: Path | None = None
    """The certificate of the authority to trust. None: those that every program trusts."""
    prometheus_cert_file: Path | None = None
    """Our own certificate, where Prometheus asks for one."""
    prometheus_key_file: Path | None = None
    prometheus_insecure_skip_verify: bool = False
    prometheus_replica_labels: tuple[str, ...] = REPLICA_LABELS
    """By which of these labels series differ that are one counter, scraped by several Prometheus."""
    readings_per_second: float = 0.0
    """How many pods' metrics are read in a second between two scrapes, of all canaries together; 0: none is."""
    readings_router: tuple["RouterPlace", ...] = ()
    """Where routers' data planes are, whose pods' metrics are read as well; empty: where they are as a rule."""
    readings_token_file: Path | None = None
    """Holds a bearer token for the pods' metrics, which is sent over TLS only."""
    readings_ca_file: Path | None = None
    """The certificate of the authority of pods with TLS. None: those that every program trusts."""
    readings_insecure_skip_verify: bool = False
    interval_seconds: float = 15.0
    """How often success criteria are measured; the scrape interval is a good choice."""
    address: str = "0.0.0.0"
    port: int = 8080
    """Of /healthz, /readyz and /metrics."""
    leader_elect: bool | None = None
    """None: yes in a cluster, no with a kubeconfig."""
    lease_namespace: str = ""
    """Empty: the controller's own namespace."""
    workers: int = 8
    """How many Rollouts are reconciled at once, beside those whose traffic has to go back."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    notify_webhook: str = field(default="", repr=False)
    notify_webhook_file: Path | None = None
    """Holds that URL, whose path is often a secret; read once, at the start."""

    @property
    def quiet_seconds(self) -> float:
        """
        How long counters of a canary may still move after its last request: two intervals of measurement.

        Two scrapes, where those were measured to be further apart.
        """
        return 2 * self.interval_seconds
