"""What `sandbox up` says of options that don't go together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Ran


@pytest.mark.parametrize("where", [[], ["--detach"]], ids=["here", "detached"])
def test_traefik_can_t_serve_the_pods_of_a_real_control_plane(
    rollouts: Callable[..., Ran], tmp_path: Path, where: list[str]
) -> None:
    options = ["--gateway", "traefik", "--control-plane", str(tmp_path), *where]
    ran = rollouts("sandbox", "up", "--dir", str(tmp_path / "sandbox"), *options)
    assert (ran.code, ran.out) == (2, "")
    assert "leave out one of the two" in ran.err.lower()
