"""`crd`, `manifests`, `version`: what is known without a cluster."""


def crd() -> None:
    """
    Print the CustomResourceDefinition of Rollout.

    \b
    Example:
      rollouts crd | kubectl apply -f -
    """  # noqa: D301 - \b keeps the lines apart
    import yaml  # noqa: PLC0415 - only verbs that need it pay for it

    from rollouts.model.crd import crd as definition  # noqa: PLC0415 - brings pydantic

    print(yaml.safe_dump(definition(), sort_keys=False, width=100), end="")


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed  # noqa: PLC0415 - as above

    print(installed("rollouts"))
