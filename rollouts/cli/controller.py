"""`controller`: the controller itself, with every setting as an option."""

import inspect
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollouts.cli.output import parse_seconds
from rollouts.cli.session import ContextOption, KubeconfigOption, Settings
from rollouts.errors import UsageError

if TYPE_CHECKING:
    from rollouts.controller.settings import Settings as ControllerSettings


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
                "--namespace", "-n", metavar="NAME", help="Only this one; repeatable. Default: all."
            ),
        ],
        (),
    ),
    "prometheus": (
        Annotated[str, typer.Option(metavar="URL", help="Where success criteria are measured.")],
        "",
    ),
    "prometheus_header": (
        Annotated[
            list[str],
            typer.Option(metavar="NAME:VALUE", help="Sent with every query; repeatable."),
        ],
        (),
    ),
    "prometheus_token_file": (
        Annotated[Path | None, typer.Option(help="Holds a bearer token for Prometheus.")],
        None,
    ),
    "prometheus_username": (
        Annotated[str, typer.Option(metavar="NAME", help="For basic authentication.")],
        "",
    ),
    "prometheus_password_file": (
        Annotated[Path | None, typer.Option(help="Holds the password for it.")],
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
        Annotated[Path | None, typer.Option(help="Its key, if that is in another file.")],
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
                help="Tells the replicas of an HA pair apart; repeatable. Default:"
                " prometheus_replica, __replica__, replica.",
            ),
        ],
        (),
    ),
    "interval": (
        Annotated[
            str,
            typer.Option(metavar="T", help="How often criteria are measured: the scrape interval."),
        ],
        "15s",
    ),
    "address": (Annotated[str, typer.Option(help="Where it serves its own endpoints.")], "0.0.0.0"),
    "port": (
        Annotated[int, typer.Option(min=0, max=65535, help="Of /healthz, /readyz and /metrics.")],
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
        Annotated[str, typer.Option(metavar="NAME", help="Of the Lease. Default: its own.")],
        "",
    ),
    "workers": (
        Annotated[int, typer.Option(min=1, max=1000, help="Rollouts reconciled at once.")],
        8,
    ),
    "log_level": (Annotated[LogLevel, typer.Option(help="The least that is logged.")], "info"),
    "log_format": (Annotated[LogFormat, typer.Option(help="How it is logged.")], "json"),
    "notify_webhook": (
        Annotated[str, typer.Option(metavar="URL", help="Is told of starts, ends and pauses.")],
        "",
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

    outer = ctx.ensure_object(Settings)
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
        Settings as ControllerSettings,
    )

    replica_labels = given["prometheus_replica_label"] or REPLICA_LABELS
    values = {
        **given,
        "prometheus_replica_labels": tuple(filter(None, replica_labels)),
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
