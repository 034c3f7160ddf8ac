"""What is installed: the program without its sandbox, and the sandbox beside it; each names what it imports."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from rollouts.cli.main import SANDBOX_MODULES, WITHOUT_SANDBOX

ROOT = Path(__file__).parents[1]
SANDBOX = ROOT / "rollouts" / "sandbox"


def project(directory: Path) -> dict[str, Any]:
    return tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))


MADE = re.compile(r"/(__pycache__|\.build|[^/]*\.egg-info)/")
"""Of no interest: what Python and builds have made."""


def files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file() and not MADE.search(str(path))}


def third_party(sources: Iterable[Path]) -> set[str]:
    """Return the top-level modules that are imported, but our own and the standard library's."""
    found = set()
    for path in (each for each in sources if each.suffix == ".py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"rollouts", "tests", "bench"}


def distributions(modules: Iterable[str]) -> set[str]:
    known = packages_distributions()
    return {normal(name) for module in modules for name in known.get(module, [module])}


def normal(requirement: str) -> str:
    """Return the name in a requirement, as an index compares names."""
    name = re.split("[=<>@; ]", requirement, maxsplit=1)[0]
    return re.sub("[-_.]+", "-", name).lower()


PROGRAM_FILES = {path for path in files(ROOT / "rollouts") if SANDBOX not in path.parents}
PROGRAM = {normal(each) for each in project(ROOT)["project"]["dependencies"]}
BESIDE_IT = {normal(each) for each in project(SANDBOX)["project"]["dependencies"]}


def test_the_program_declares_exactly_what_it_imports() -> None:
    assert distributions(third_party(PROGRAM_FILES)) == PROGRAM


def test_the_sandbox_declares_exactly_what_it_imports() -> None:
    assert distributions(third_party(files(SANDBOX))) | {"rollouts"} == BESIDE_IT


def test_tests_and_benches_import_what_is_declared() -> None:
    development = {normal(each) for each in project(ROOT)["dependency-groups"]["dev"]}
    used = third_party(files(ROOT / "tests") | files(ROOT / "bench"))
    assert distributions(used) <= PROGRAM | BESIDE_IT | development


def test_what_only_the_sandbox_imports_is_known_to_be_its_own() -> None:
    alone = third_party(files(SANDBOX)) - third_party(PROGRAM_FILES)
    assert set(SANDBOX_MODULES) == alone | {"rollouts.sandbox"}


def test_the_two_are_of_one_version() -> None:
    version = project(ROOT)["project"]["version"]
    sandbox = project(SANDBOX)["project"]
    assert sandbox["version"] == version
    assert f"rollouts=={version}" in sandbox["dependencies"]


def copy(to: Path, *, without_sandbox: bool = False) -> Path:
    """Copy what a wheel is made of: a build leaves its traces where the source is."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        to.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, to)
    for path in files(ROOT / "rollouts"):
        if not (without_sandbox and SANDBOX in path.parents):
            copied = to / path.relative_to(ROOT)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copied)
    return to


def wheel(source: Path, to: Path) -> zipfile.ZipFile:
    """Build without a network, with the setuptools that is installed."""
    how = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(to)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *how, str(source)], check=True)
    return zipfile.ZipFile(next(to.glob("*.whl")))


def contents(built: zipfile.ZipFile) -> set[str]:
    return {name for name in built.namelist() if ".dist-info/" not in name}


def extra(built: zipfile.ZipFile) -> str:
    """Return what the extra `sandbox` asks for."""
    name = next(name for name in built.namelist() if name.endswith("/METADATA"))
    lines = built.read(name).decode().splitlines()
    line = next(line for line in lines if line.endswith('extra == "sandbox"'))
    return line.removeprefix("Requires-Dist: ").split(";")[0].strip()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it is installed without the extra."""
    scratch = tmp_path_factory.mktemp("program")
    with wheel(copy(scratch / "source"), scratch) as built:
        built.extractall(scratch / "installed")
    return scratch


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what is installed; `-S` keeps this checkout, which .venv knows, from filling its gaps."""
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    path = os.pathsep.join([str(program / "installed"), *libraries])
    return subprocess.run(
        [sys.executable, "-S", "-m", "rollouts", *arguments],
        cwd=program,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_file_is_in_one_of_the_two(program: Path, tmp_path: Path) -> None:
    source = program / "source"
    with wheel(source / "rollouts" / "sandbox", tmp_path) as built:
        sandbox = contents(built)
    of_sandbox = {str(path.relative_to(ROOT)) for path in files(SANDBOX)}
    with zipfile.ZipFile(next(program.glob("*.whl"))) as built:
        assert contents(built) == {str(path.relative_to(ROOT)) for path in PROGRAM_FILES}
        assert extra(built) == f"rollouts-sandbox @ {(source / 'rollouts' / 'sandbox').as_uri()}"
    assert sandbox == of_sandbox - {"rollouts/sandbox/pyproject.toml"}


def test_built_where_there_is_no_sandbox_the_extra_is_that_of_the_release(tmp_path: Path) -> None:
    with wheel(copy(tmp_path / "source", without_sandbox=True), tmp_path) as built:
        assert extra(built) == f"rollouts-sandbox=={project(ROOT)['project']['version']}"
        assert "rollouts/cli/main.py" in contents(built)


@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["controller", "--help"],
        ["sandbox", "--help"],
        ["lint", str(ROOT / "examples" / "canary-nginx.yaml")],
    ],
)
def test_the_program_works_without_the_sandbox(program: Path, arguments: list[str]) -> None:
    done = run(program, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo"],
        ["sandbox", "up"],
        ["sandbox", "up", "--detach"],
        ["sandbox", "down", "--dir", "nowhere"],
        ["sandbox", "load", "--dir", "nowhere"],
    ],
)
def test_what_needs_the_sandbox_says_how_to_install_it(program: Path, arguments: list[str]) -> None:
    done = run(program, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"python -m rollouts: {WITHOUT_SANDBOX}"
