"""`controller`: the controller itself, with every setting as an option."""

import inspect
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollouts.cli.output import parse_seconds
from rollouts.cli.session import ContextOption, GlobalOptions, KubeconfigOption
from rollouts.errors import UsageError

if TYPE_CHECKING:
    from rollouts.controller.router_pages import RouterPlace
    from rollouts.controller.settings import ControllerSettings


class LogLevel(StrEnum):
    """What is worth a line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """One JSON object per line, or text for people."""

    JSON = "json"
    TEXT = "text"


OPTIONS: dict[str, tuple[Any, Any]] = {
    "kubeconfig": (KubeconfigOption, None),
    "context": (ContextOption, ""),
    "namespace": (
        Annotated[
            list[str],
            typer.Option(
                "--namespace",
                "-n",
                metavar="NAME",
                help="The namespace to work in; repeatable. Default: all.",
            ),
        ],
        (),
    ),
    "prometheus": (
        Annotated[
            str,
            typer.Option(
                metavar="URL", help="The Prometheus that success criteria are measured in."
            ),
        ],
        "",
    ),
    "prometheus_header": (
        Annotated[
            list[str],
            typer.Option(
                metavar="NAME:VALUE", help="A header to send with every query; repeatable."
            ),
        ],
        (),
    ),
    "prometheus_token_file": (
        Annotated[Path | None, typer.Option(help="The file with a bearer token for Prometheus.")],
        None,
    ),
    "prometheus_username": (
        Annotated[
            str,
            typer.Option(
                metavar="NAME", help="The user name for Prometheus' basic authentication."
            ),
        ],
        "",
    ),
    "prometheus_password_file": (
        Annotated[Path | None, typer.Option(help="The file with the password of that user.")],
        None,
    ),
    "prometheus_ca_file": (
        Annotated[
            Path | None, typer.Option(help="The authority that has signed Prometheus' certificate.")
        ],
        None,
    ),
    "prometheus_cert_file": (
        Annotated[Path | None, typer.Option(help="The certificate to show to Prometheus.")],
        None,
    ),
    "prometheus_key_file": (
        Annotated[
            Path | None, typer.Option(help="The key of that certificate, if it is in another file.")
        ],
        None,
    ),
    "prometheus_insecure_skip_verify": (
        Annotated[
            bool,
            typer.Option(
                "--prometheus-insecure-skip-verify", help="Trust every certificate: for tests only."
            ),
        ],
        False,
    ),
    "prometheus_replica_label": (
        Annotated[
            list[str],
            typer.Option(
                metavar="LABEL",
                help="A label that tells the replicas of an HA pair apart; repeatable. Default:"
                " prometheus_replica, __replica__, replica.",
            ),
        ],
        (),
    ),
    "readings_per_second": (
        Annotated[
            float,
            typer.Option(
                min=0,
                max=1000,
                help="How many pods' metrics are read in a second between two scrapes; 0: none. 200 is enough.",
            ),
        ],
        0.0,
    ),
    "readings_router": (
        Annotated[
            list[str],
            typer.Option(
                metavar="NAMESPACE[/SERVICE]",
                help="The Service with the metrics of a router's data plane, whose pods are read too;"
                " repeatable. Default: where it is installed as a rule.",
            ),
        ],
        (),
    ),
    "readings_token_file": (
        Annotated[
            Path | None,
            typer.Option(
                help="The file with a bearer token for pods' metrics, sent over TLS only."
            ),
        ],
        None,
    ),
    "readings_ca_file": (
        Annotated[
            Path | None, typer.Option(help="The authority that has signed the pods' certificates.")
        ],
        None,
    ),
    "readings_insecure_skip_verify": (
        Annotated[
            bool,
            typer.Option(
                "--readings-insecure-skip-verify", help="Trust every certificate of a pod."
            ),
        ],
        False,
    ),
    "interval": (
        Annotated[
            str,
            typer.Option(
                metavar="T",
                help="The scrape interval: how often a query is asked, and counters while nobody knows when they are scraped.",
            ),
        ],
        "15s",
    ),
    "address": (
        Annotated[str, typer.Option(help="The address of the controller's own endpoints.")],
        "0.0.0.0",
    ),
    "port": (
        Annotated[
            int, typer.Option(min=0, max=65535, help="The port of /healthz, /readyz and /metrics.")
        ],
        8080,
    ),
    "leader_elect": (
        Annotated[
            bool | None,
            typer.Option(
                "--leader-elect/--no-leader-elect",
                help="Let one of several controllers write. Default: in a cluster only.",
            ),
        ],
        None,
    ),
    "lease_namespace": (
        Annotated[
            str,
            typer.Option(
                metavar="NAME", help="The namespace of the Lease. Default: the controller's."
            ),
        ],
        "",
    ),
    "workers": (
        Annotated[
            int,
            typer.Option(
                min=1,
                max=1000,
                help="How many Rollouts are reconciled at once, beside those whose traffic has to go back.",
            ),
        ],
        8,
    ),
    "log_level": (
        Annotated[LogLevel, typer.Option(help="The least severe level that is logged.")],
        "info",
    ),
    "log_format": (Annotated[LogFormat, typer.Option(help="The format of the log.")], "json"),
    "notify_webhook": (
        Annotated[
            str,
            typer.Option(metavar="URL", help="The URL that is told of starts, ends and pauses."),
        ],
        "",
    ),
    "notify_webhook_file": (
        Annotated[
            Path | None,
            typer.Option(help="The file with that URL, where its path is a secret."),
        ],
        None,
    ),
}


def controller(ctx: typer.Context, **given: Any) -> None:
    """
    Run the controller, in a cluster or with a kubeconfig.

    \b
    Example:
      rollouts controller --prometheus http://prometheus.monitoring:9090 --interval 15s
    """  # noqa: D301 - \b keeps the lines apart
    from rollouts.bootstrap import run_controller  # noqa: PLC0415 - brings everything

    outer = ctx.ensure_object(GlobalOptions)
    given["kubeconfig"] = given["kubeconfig"] or outer.kubeconfig
    given["context"] = given["context"] or outer.context or None
    given["namespace"] = given["namespace"] or ([outer.namespace] if outer.namespace else ())
    code = run_controller(controller_settings(given))
    if code:
        raise typer.Exit(code)


def controller_settings(given: dict[str, Any]) -> "ControllerSettings":
    """
    Return the settings that the options say.

    Raises:
        UsageError: a value can't be used.
    """
    from rollouts.analysis.series import REPLICA_LABELS  # noqa: PLC0415
    from rollouts.controller.settings import (  # noqa: PLC0415
        ControllerSettings,
    )

    replica_labels = given["prometheus_replica_label"] or REPLICA_LABELS
    values = {
        **given,
        "prometheus_replica_labels": tuple(filter(None, replica_labels)),
        "readings_router": tuple(_router_place(text) for text in given["readings_router"]),
        "namespaces": tuple(given["namespace"]),
        "prometheus_url": given["prometheus"],
        "prometheus_headers": dict(_header(text) for text in given["prometheus_header"]),
        "interval_seconds": parse_seconds("--interval", given["interval"]),
        "log_level": str(given["log_level"]),
        "log_format": str(given["log_format"]),
    }
    if not values["interval_seconds"]:
        raise UsageError("--interval has to be more than 0 seconds")
    return ControllerSettings(
        **{field.name: values[field.name] for field in fields(ControllerSettings)}
    )


def _router_place(text: str) -> "RouterPlace":
    from rollouts.controller.router_pages import RouterPlace  # noqa: PLC0415

    try:
        return RouterPlace.parse(text)
    except ValueError as error:
        raise UsageError(f"--readings-router: {error}") from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError("--prometheus-header: expected NAME:VALUE, got something without a colon")
    if not (text.isascii() and text.isprintable()):
        raise UsageError(f"--prometheus-header: {name.strip()!r} is not one line of plain text")
    return name.strip(), value.strip()


vars(controller)["__signature__"] = inspect.Signature(
    [
        inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for name, (annotation, default) in OPTIONS.items()
        ),
    ]
)
