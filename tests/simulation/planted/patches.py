"""The patches, and a copy of the product with one of them in it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
COPIED = ("rollouts", "tests", "bench")


@dataclass(frozen=True)
class Planted:
    """One bug."""

    file: Path

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def what(self) -> str:
        """What it does, in a sentence."""
        return self.file.read_text().partition("\n")[0]

    def into(self, folder: Path) -> None:
        """
        Make a copy of the checkout with the bug in `folder`.

        Raises:
            ValueError: the patch no longer applies.
        """
        for name in COPIED:
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        apply(self.file, folder)


def every_planted() -> list[Planted]:
    return [Planted(file) for file in sorted(HERE.glob("*.patch"))]


def apply(patch: Path, folder: Path, *, only_check: bool = False) -> None:
    """
    Apply a patch, or see whether it would apply.

    Raises:
        ValueError: it does not.
    """
    command = ["git", "apply", *(["--check"] if only_check else []), str(patch)]
    # Outside a repository of its own, so that git goes by the files that are there.
    done = subprocess.run(  # noqa: PLW1510 - what is wrong is told below
        command,
        cwd=folder,
        env={"GIT_DIR": "/dev/null", "PATH": _path()},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError(
            f"{patch.name} no longer applies: make the bug again in the code as it is now ({done.stderr.strip()})"
        )


def _path() -> str:
    git = shutil.which("git")
    if git is None:
        raise ValueError("git is not on PATH; it applies the patches")
    return str(Path(git).parent)
