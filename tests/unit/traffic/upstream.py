"""What the projects whose objects we write say that these objects are: their own CRDs."""

from pathlib import Path

import pytest
import yaml

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.cel_rules import rule_violations
from rollouts.sandbox.apiserver.schema import defaulted, pruned, violations

FOLDER = Path(__file__).parents[4] / "shared" / "upstream-crds"


def definition(file: str) -> JSON:
    """Return a CRD; the test is skipped where the folder is not there."""
    if not FOLDER.is_dir():
        pytest.skip("there is no folder of upstream CRDs beside this checkout")
    found: JSON = yaml.safe_load((FOLDER / file).read_text(encoding="utf-8"))
    return found


def schema_errors(crd: JSON, body: JSON) -> list[str]:
    """Return what an API server with this CRD would say against an object, unknown fields included."""
    version = body["apiVersion"].split("/")[1]
    (found,) = (each for each in crd["spec"]["versions"] if each["name"] == version)
    schema = found["schema"]["openAPIV3Schema"]
    unknown = pruned(body, schema)
    defaulted(body, schema)
    found = [*violations(body, schema), *rule_violations(body, None, schema)]
    return [*unknown, *map(str, found)]
