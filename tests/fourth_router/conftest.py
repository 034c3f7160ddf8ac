"""These tests need the fourth router: `tests/unit/traffic/test_fourth_router.py` runs them with it."""

import sys

from tests.unit.cli.conftest import cluster, rollouts

__all__ = ["cluster", "rollouts"]

collect_ignore_glob = [] if "tests.fourth_router.installed" in sys.modules else ["test_*.py"]
