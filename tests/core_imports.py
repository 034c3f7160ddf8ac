"""
How many imports the core has within itself: `python -m tests.core_imports [COMMIT ...]`.

Each import is an arrow from a file to what it needs. By room, all that comes from a room's face
(its `__init__`) is one arrow; by file, it is one to each file in which the face finds it. A face
has no arrows: it only gathers its own room (docs/adr/0029-the-rooms-of-the-core.md).
"""

import ast
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = "rollouts/core"
MOST = 3
"""How many others of the core a module may import, counted by room."""
ENTRY = f"{CORE}/decide.py"
Trees = Mapping[str, ast.Module]
"""The parsed files of the core by their paths."""
Arrows = dict[str, set[str]]
"""For each file, the files that it imports."""


def arrows_by_room(trees: Trees) -> Arrows:
    """Return what each file imports, where a face stands for all of its room."""
    return {
        path: {target for target, _ in _imports(tree, trees)}
        for path, tree in trees.items()
        if not _is_face(path)
    }


def arrows_by_file(trees: Trees) -> Arrows:
    """Return what each file imports, where a face is seen through."""
    return {
        path: {_behind(target, name, trees) for target, name in _imports(tree, trees)}
        for path, tree in trees.items()
        if not _is_face(path)
    }


def above_the_most(arrows: Arrows) -> dict[str, set[str]]:
    """Return the files that import more than three others, but for `decide`, which lists all stages."""
    return {path: found for path, found in arrows.items() if len(found) > MOST and path != ENTRY}


def trees_of(commit: str | None = None) -> Trees:
    """Return the core as it is in a commit, or in the working tree."""
    if commit is None:
        texts = {
            path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
            for path in (ROOT / CORE).rglob("*.py")
        }
    else:
        command = ["git", "archive", "--format=tar", commit, CORE]
        packed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            texts = {
                each.name: found.read().decode()
                for each in archive
                if each.name.endswith(".py") and (found := archive.extractfile(each)) is not None
            }
    return {path: ast.parse(text) for path, text in sorted(texts.items())}


def _imports(tree: ast.Module, trees: Trees) -> Iterator[tuple[str, str]]:
    """Yield each file of the core that is imported, and the name that is taken from it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for each in node.names:
            inner = _file(f"{node.module}.{each.name}", trees)
            found = inner or _file(node.module or "", trees)
            if found is not None:
                yield found, each.name


def _file(module: str, trees: Trees) -> str | None:
    path = module.replace(".", "/")
    return next((each for each in (f"{path}.py", f"{path}/__init__.py") if each in trees), None)


def _behind(target: str, name: str, trees: Trees) -> str:
    """Return the file in which a face finds a name; any other file is itself."""
    if not _is_face(target):
        return target
    found = (path for path, each in _imports(trees[target], trees) if each == name)
    return next(found, target)


def _is_face(path: str) -> bool:
    return path.endswith("/__init__.py")


def main() -> None:
    commits: list[str | None] = [*sys.argv[1:]]
    for commit in commits or [None]:
        trees = trees_of(commit)
        print(f"{commit or 'here'}: {sum(not _is_face(path) for path in trees)} files")
        for how, arrows in (("room", arrows_by_room(trees)), ("file", arrows_by_file(trees))):
            above = above_the_most(arrows)
            print(
                f"  by {how}: {sum(map(len, arrows.values()))} imports, {len(above)} files have more than {MOST}"
            )
            for path, found in sorted(above.items(), key=lambda item: -len(item[1])):
                print(f"    {len(found):2} {path.removeprefix(f'{CORE}/')}")


if __name__ == "__main__":
    main()
