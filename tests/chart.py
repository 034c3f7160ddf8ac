"""What Helm makes of the chart."""

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rollouts.model.kinds import JSON
from tests.helm.program import Done, helm

CHART = Path(__file__).parents[1] / "charts" / "rollouts"
RELEASE, NAMESPACE = "canaries", "delivery"


def template(values: JSON) -> Done:
    """Return what `helm template` says of the chart with these values in place of its own."""
    return _template(json.dumps(values))


@cache
def _template(values: str) -> Done:
    command = ["template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", "-"]
    with tempfile.TemporaryDirectory() as home:
        return helm(command, Path(home), given=values)


def rendered(**values: Any) -> list[JSON]:
    """Return the objects of the chart, with values in place of its own."""
    done = template(values)
    assert done.code == 0, done.err
    return [each for each in yaml.safe_load_all(done.out) if each]
