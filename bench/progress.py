"""What is told to whoever waits."""

import sys


def say(text: str) -> None:
    """Tell whoever waits; the result alone goes to stdout."""
    print(text, file=sys.stderr, flush=True)
