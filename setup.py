"""
What pyproject.toml can't say: which sandbox the extra `sandbox` installs.

A checkout has one of its own, and takes that. What is built for an index (from the source
distribution, which has none) names the release.
"""

import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent
SANDBOX = HERE / "rollouts" / "sandbox"

if (SANDBOX / "pyproject.toml").exists():
    sandbox = f"rollouts-sandbox @ {SANDBOX.as_uri()}"
else:
    version = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    sandbox = f"rollouts-sandbox=={version}"

setup(extras_require={"sandbox": [sandbox]})
