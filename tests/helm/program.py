"""Helm, as the tests run it: with a home of its own, and never in anybody's cluster but the one that is named."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helm.build import PROGRAM, VERSION

REQUIRED = os.environ.get("ROLLOUTS_HELM") == "required"
"""Whether a test that needs it fails without it, rather than being skipped."""
SECONDS = 120.0


def present() -> str:
    """Return what there is, in a few words."""
    return f"{VERSION}" if PROGRAM.exists() else "there is none; `make helm` gets it"


def need_helm() -> None:
    """Skip the test where there is no Helm, or fail it where it is required."""
    if not PROGRAM.exists():
        (pytest.fail if REQUIRED else pytest.skip)("there is no Helm; `make helm` gets it")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command of Helm's ended, and what it said."""

    code: int
    out: str
    err: str


def helm(
    arguments: Sequence[str], home: Path, kubeconfig: Path | None = None, given: str = ""
) -> Done:
    """Return how `helm ARGUMENTS` ended, with `given` as its input."""
    need_helm()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "KUBECONFIG": str(kubeconfig or os.devnull),
    }
    done = subprocess.run(
        [PROGRAM, *arguments],
        input=given,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return Done(done.returncode, done.stdout, done.stderr)
