"""Secrets that lie in files: read anew each time, for they are replaced while we run."""

from pathlib import Path

from rollouts.errors import Unavailable


def secret(what: str, path: Path) -> str:
    """
    Return the secret that a file holds now.

    Raises:
        Unavailable: it can't be read, or is empty, as while it is being replaced.
    """
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it has bytes that are not UTF-8"
        raise Unavailable(f"the {what} can't be read: {path}: {why}") from None
    if not text:
        raise Unavailable(f"the {what} can't be read: {path} is empty")
    return text


def bearer_token(what: str, path: Path) -> str:
    """
    Return the secret that a file holds now, which a header can carry.

    Raises:
        Unavailable: it can't be read, is empty, or is no line of ASCII: who sends the header would refuse it, and show it.
    """
    token = secret(what, path)
    if not (token.isascii() and token.isprintable()):
        raise Unavailable(f"the {what} can't be sent: {path} has to hold one line of ASCII text")
    return token
