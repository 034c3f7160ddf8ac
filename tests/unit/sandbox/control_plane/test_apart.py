"""Who does without a real control plane does without its code."""

import subprocess
import sys

LISTS = """
import sys
from rollouts.sandbox.environment import Sandbox
print(*(name for name in sys.modules if name.startswith("rollouts.sandbox.control_plane")))
"""


def test_a_plain_sandbox_imports_nothing_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTS], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
