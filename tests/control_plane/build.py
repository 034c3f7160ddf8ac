"""
Build etcd, kube-apiserver and kube-controller-manager from their Go modules.

    python3 tests/control_plane/build.py [VERSION]

They come to lie in `.cache/control-plane/VERSION`, all three or none; what lies there already is
not built again. The committed go.mod and go.sum are for `DEFAULT_VERSION`; for another one the
go.mod is derived from that of its Kubernetes release, in a copy. Go's own settings say where
modules come from and where they are kept. Only the standard library is used.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[1] / ".cache" / "control-plane"
DEFAULT_VERSION = "1.36.3"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
KUBERNETES = "k8s.io/kubernetes"


class CannotBuild(Exception):
    """What a person has to do first, in one line."""


def is_complete(directory: Path) -> bool:
    """Return whether all three programs are there and may be run."""
    return all(os.access(directory / program, os.X_OK) for program in PROGRAMS)


def build(version: str) -> Path:
    """
    Return the directory of the programs of a version, built when they are not there.

    Raises:
        CannotBuild: Go is missing, or a command of Go's has failed.
    """
    if not re.fullmatch(r"1\.\d+\.\d+", version):
        raise CannotBuild(f"{version} is no version of Kubernetes such as {DEFAULT_VERSION}")
    target = BUILT / version
    if is_complete(target):
        say(f"{target} is built already")
        return target
    if shutil.which("go") is None:
        raise CannotBuild("go is not on PATH; install Go, then `make control-plane` again")
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=BUILT) as aside:
        module, made = Path(aside, "module"), Path(aside, "made")
        made.mkdir()
        prepare(module, version)
        compile_programs(module, made, version)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return target


def prepare(module: Path, version: str) -> None:
    """Make a copy of our Go module that requires `version`, in `module`."""
    shutil.copytree(HERE / "cmd", module / "cmd")
    release = go(module, "mod", "download", "-json", f"{KUBERNETES}@v{version}")
    theirs = go(module, "mod", "edit", "-json", release["GoMod"])
    check_go(module, theirs["Go"], version)
    if version == DEFAULT_VERSION:
        shutil.copy(HERE / "go.mod", module)
        shutil.copy(HERE / "go.sum", module)
        return
    (module / "go.mod").write_text(go_mod(theirs, version))
    say(f"asking which modules {version} needs")
    run(module, "mod", "tidy")


def go_mod(theirs: dict[str, Any], version: str) -> str:
    """
    Return the go.mod of a version, before `go mod tidy`.

    Kubernetes replaces its staging modules by directories beside it; published they have the
    same version, with 0 for 1.
    """
    staging = sorted(
        each["Old"]["Path"] for each in theirs["Replace"] if each["New"]["Path"].startswith("./")
    )
    replaced = "".join(f"\t{name} => {name} v0{version[1:]}\n" for name in staging)
    return (
        f"module control-plane\n\ngo {theirs['Go']}\n\n"
        f"require {KUBERNETES} v{version}\n\nreplace (\n{replaced})\n"
    )


def check_go(module: Path, wanted: str, version: str) -> None:
    """Raise `CannotBuild` when Go is older than a version needs, and will not fetch a newer one."""
    found = go(module, "env", "-json", "GOVERSION", "GOTOOLCHAIN")
    present = found["GOVERSION"].removeprefix("go").split()[0]
    if _numbers(present) < _numbers(wanted) and found["GOTOOLCHAIN"] == "local":
        raise CannotBuild(f"Kubernetes {version} needs Go {wanted}, and go is {present}")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def compile_programs(module: Path, made: Path, version: str) -> None:
    say(f"building {', '.join(PROGRAMS)} {version}; with nothing built before it takes minutes")
    begun = time.monotonic()
    stamp = f"-s -w -X k8s.io/component-base/version.gitVersion=v{version}"
    run(module, "build", "-o", f"{made}/", "-ldflags", stamp, "./cmd/...")
    say(f"built in {time.monotonic() - begun:.0f} s")


def go(module: Path, *arguments: str) -> dict[str, Any]:
    """Return what a command of Go's prints, which is JSON."""
    found: dict[str, Any] = json.loads(run(module, *arguments, capture=True))
    return found


def run(module: Path, *arguments: str, capture: bool = False) -> str:
    """Return what a command of Go's prints; when we have to stop, all that it has started stops too."""
    environment = {
        **os.environ,
        "GOWORK": "off",  # a workspace around us has other modules
        "GOTMPDIR": str(module),  # what it leaves behind goes with ours
    }
    with subprocess.Popen(
        ["go", *arguments],
        cwd=module,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
        text=True,
        process_group=0,
    ) as running:
        try:
            printed, _ = running.communicate()
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    if running.returncode:
        raise CannotBuild(f"`go {' '.join(arguments)}` has failed with {running.returncode}")
    return printed or ""


def say(line: str) -> None:
    print(f"control plane: {line}", flush=True)


def main(*versions: str) -> None:
    """Build the versions, and leave nothing half done, also when we have to stop."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        for version in versions:
            build(version)
    except CannotBuild as reason:
        sys.exit(f"control plane: {reason}")


def _stop(*_: object) -> NoReturn:
    sys.exit("control plane: stopped")


if __name__ == "__main__":
    main(*(sys.argv[1:] or [DEFAULT_VERSION]))
