"""Each threat on the page about security has a guard, and a test that holds it."""

import ast
import re
from pathlib import Path

import pytest

from rollouts.controller.manifests import deployment

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
SECTIONS = [
    "Rollouts",
    "Commands",
    "Routing objects",
    "Prometheus",
    "Pods that are read",
    "Webhook receivers",
    "The service account",
    "The sandbox",
]


def rows() -> list[list[str]]:
    """Return the cells of each threat."""
    tables = PAGE.split("| threat | guard | test |\n")[1:]
    lines = [line for table in tables for line in table.split("\n\n")[0].splitlines()[1:]]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_who_can_write_something_has_a_section() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == SECTIONS
    assert len(re.findall(r"^\| threat ", PAGE, re.MULTILINE)) == len(SECTIONS)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_threat_has_a_guard_and_a_test_that_exists(row: list[str]) -> None:
    threat, guard, test = row
    assert threat.endswith(".")
    assert guard.endswith(".")
    found = REFERENCE.findall(test)
    assert found
    for path, name in found:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {
            each.name
            for each in ast.walk(tree)
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in functions, f"{path} has no {name}"


def test_no_threat_is_named_twice() -> None:
    threats = [row[0] for row in rows()]
    assert len(set(threats)) == len(threats) > 40


def test_the_controllers_container_has_what_the_page_says() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"] == "512Mi"
