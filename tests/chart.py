"""What Helm makes of the chart. Knows of Helm just what our templates use."""

import re
from pathlib import Path
from typing import Any

import yaml

from rollouts.model.kinds import JSON

CHART = Path(__file__).parents[1] / "charts" / "rollouts"
RELEASE = {"Name": "canaries", "Namespace": "delivery"}
_TRIM = re.compile(r"\s*\{\{-")
_BLOCK = re.compile(r"\{\{ (if|with) (\S+) \}\}(.*?)\{\{ end \}\}", re.DOTALL)
_YAML = re.compile(r"\{\{ toYaml (\S+) \| nindent (\d+) \}\}")
_FILE = re.compile(r'\{\{ \.Files\.Get "(\S+)" \| nindent (\d+) \}\}')
_VALUE = re.compile(r"\{\{ (\S+) \}\}")


def render(text: str, scope: JSON) -> list[JSON]:
    """Return the objects of a template."""

    def look_up(path: str) -> Any:
        found: Any = scope
        for part in filter(None, path.split(".")):
            found = found[part]
        return found

    def block(match: re.Match[str]) -> str:
        value = look_up(match[2])
        if match[1] == "with":
            return match[3].replace("toYaml . ", f"toYaml {match[2]} ") if value else ""
        return match[3] if value else ""

    def inserted(match: re.Match[str]) -> str:
        lines = yaml.safe_dump(look_up(match[1]), sort_keys=False).splitlines()
        return "".join(f"\n{' ' * int(match[2])}{line}" for line in lines)

    def read(match: re.Match[str]) -> str:
        lines = (CHART / match[1]).read_text().splitlines()
        return "".join(f"\n{' ' * int(match[2])}{line}" for line in lines)

    text = _FILE.sub(read, _TRIM.sub("{{", text))
    text = _BLOCK.sub(block, text)
    text = _YAML.sub(inserted, text)
    text = _VALUE.sub(lambda match: str(look_up(match[1])), text)
    assert "{{" not in text
    return [each for each in yaml.safe_load_all(text) if each]


def rendered(**values: Any) -> list[JSON]:
    """Return the objects of the chart, with values in place of its own."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    scope = {"Values": defaults | values, "Release": RELEASE}
    return [
        each
        for template in sorted((CHART / "templates").iterdir())
        for each in render(template.read_text(), scope)
    ]
