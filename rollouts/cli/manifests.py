"""`crd`, `schema`, `manifests`, `version`: what is known without a cluster."""

from typing import Annotated

import typer

from rollouts.cli.session import GlobalOptions

ImageOption = Annotated[str, typer.Option("--image", help="The controller's image.")]
InstallNamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", metavar="NAME", help="The namespace that the controller runs in."
    ),
]
PrometheusOption = Annotated[
    str,
    typer.Option(
        "--prometheus",
        metavar="URL",
        help="The Prometheus that the controller measures success criteria in.",
    ),
]
IntervalOption = Annotated[
    str, typer.Option("--interval", metavar="T", help="How often criteria are measured.")
]


def crd() -> None:
    """
    Print the CustomResourceDefinitions of Rollout and ReleaseRecord.

    \b
    Example:
      rollouts crd | kubectl apply -f -
    """  # noqa: D301 - \b keeps the lines apart
    import yaml  # noqa: PLC0415 - only verbs that need it pay for it

    from rollouts.model.crd import crds  # noqa: PLC0415 - brings pydantic

    print(yaml.safe_dump_all(crds(), sort_keys=False, width=100), end="")


def schema() -> None:
    """
    Print the JSON Schema of Rollout, for editors.

    \b
    Example:
      rollouts schema > rollout.schema.json
    """  # noqa: D301 - \b keeps the lines apart
    import json  # noqa: PLC0415 - only verbs that need it pay for it

    from rollouts.model.json_schema import json_schema  # noqa: PLC0415 - brings pydantic

    print(json.dumps(json_schema(), indent=2))


def manifests(
    ctx: typer.Context,
    namespace: InstallNamespaceOption = "",
    image: ImageOption = "",
    prometheus: PrometheusOption = "",
    interval: IntervalOption = "",
) -> None:
    """
    Print all that a cluster needs to run the controller.

    The CRD, a namespace, a service account with the least permissions, a Deployment and its PodDisruptionBudget.

    \b
    Example:
      rollouts manifests --prometheus http://prometheus.monitoring:9090 | kubectl apply -f -
    """  # noqa: D301 - \b keeps the lines apart
    import yaml  # noqa: PLC0415 - only verbs that need it pay for it

    from rollouts.controller.manifests import Installation  # noqa: PLC0415 - as above
    from rollouts.controller.manifests import manifests as all_of  # noqa: PLC0415 - as above

    usual = Installation()
    installation = Installation(
        namespace=namespace or ctx.ensure_object(GlobalOptions).namespace or usual.namespace,
        image=image or usual.image,
        prometheus_url=prometheus or usual.prometheus_url,
        interval=interval or usual.interval,
    )
    print(yaml.safe_dump_all(all_of(installation), sort_keys=False, width=100), end="")


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed  # noqa: PLC0415 - as above

    print(installed("rollouts"))
