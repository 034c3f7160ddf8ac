"""A new router is two files and a line in each of two lists: everything else follows from what it says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_fourth_router_is_at_home_at_once() -> None:
    plugin, tests = "tests.fourth_router.installed", "tests/fourth_router"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", plugin, tests]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
