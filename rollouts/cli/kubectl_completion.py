"""
`kubectl_complete-rollouts`: what kubectl runs to complete `kubectl rollouts …`.

It is given the words that were typed, the last one unfinished, and prints what may stand in its
place, one a line, then a directive (Kubernetes' documentation, "kubectl plugins", has the contract).
"""

import os
import shlex
import sys

NO_FILES = ":4"
"""The directive: offer these, and no files."""


def main() -> None:
    """Print the completions of the words in the arguments."""
    from rollouts.cli.main import app  # noqa: PLC0415 - reads the environment that is set below

    words = sys.argv[1:] or [""]
    os.environ |= {
        "_ROLLOUTS_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(["rollouts", *words]),
        "COMP_CWORD": str(len(words)),
    }
    try:
        app([], prog_name="rollouts")
    except SystemExit:
        print(NO_FILES)


if __name__ == "__main__":
    main()
