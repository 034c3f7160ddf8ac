"""What the programs of a real control plane are started with."""

from pathlib import Path

from rollouts.sandbox.control_plane.programs import Programs


def test_nobody_else_reads_its_keys_and_tokens(tmp_path: Path) -> None:
    programs = Programs(tmp_path, tmp_path / "plane", "127.99.0.1")
    programs.write_files()
    secret = [each for each in programs.directory.iterdir() if each.suffix != ".yaml"]
    assert {each.name for each in secret} >= {"accounts.key", "tokens.csv", "kubeconfig"}
    assert {each.stat().st_mode & 0o777 for each in secret} == {0o600}
