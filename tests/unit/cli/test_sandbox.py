"""What `sandbox up` says of options that don't go together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rollouts.cli.sandbox import chosen_host
from rollouts.errors import UsageError
from tests.unit.cli.conftest import Ran


@pytest.mark.parametrize("where", [[], ["--detach"]], ids=["here", "detached"])
def test_traefik_can_t_serve_the_pods_of_a_real_control_plane(
    rollouts: Callable[..., Ran], tmp_path: Path, where: list[str]
) -> None:
    options = ["--gateway", "traefik", "--control-plane", str(tmp_path), *where]
    ran = rollouts("sandbox", "up", "--dir", str(tmp_path / "sandbox"), *options)
    assert (ran.code, ran.out) == (2, "")
    assert "leave out one of the two" in ran.err.lower()


@pytest.mark.parametrize(
    ("given", "known", "expected", "said"),
    [
        ("", ["shop.test"], "shop.test", ""),
        ("", [], "checkout.example", ""),
        ("", ["a.test", "checkout.example"], "checkout.example", ""),
        ("b.test", ["a.test", "b.test"], "b.test", ""),
        ("c.test", ["b.test", "a.test"], "c.test", "nobody answers; there are a.test, b.test"),
    ],
)
def test_load_knows_which_hosts_are_routed(
    capsys: pytest.CaptureFixture[str], given: str, known: list[str], expected: str, said: str
) -> None:
    assert chosen_host(given, known) == expected
    assert said in capsys.readouterr().err


def test_load_does_not_guess_among_several_hosts() -> None:
    with pytest.raises(UsageError, match=r"choose one with --host: a.test, b.test"):
        chosen_host("", ["b.test", "a.test"])
