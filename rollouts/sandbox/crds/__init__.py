"""
The custom kinds that every sandbox serves: TrafficSplit of SMI, the Gateway API's four, and
KEDA's ScaledObject.

The definitions are our own and compact: they hold the fields that a route is made of, with
the defaults, limits and list types that users of the real ones know, and keep what they do
not know. Who needs the originals deletes these and applies those.
"""

from importlib import resources
from typing import cast

import yaml

from rollouts.model.kinds import JSON

FILES = ("smi.yaml", "gateway-api.yaml", "keda.yaml")


def definitions() -> list[JSON]:
    """Return the CustomResourceDefinitions as plain JSON."""
    here = resources.files(__name__)
    return [
        cast("JSON", document)
        for name in FILES
        for document in yaml.safe_load_all(here.joinpath(name).read_text(encoding="utf-8"))
    ]
