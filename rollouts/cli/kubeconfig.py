"""What the kubeconfig says of its contexts, read without a client and without asking a cluster."""

import os
from pathlib import Path
from typing import Any


def context_names(kubeconfig: Path | None) -> list[str]:
    """Return the names of the contexts, in their order."""
    return [str(entry["name"]) for entry in _read(kubeconfig)[0] if entry.get("name")]


def kubeconfig_user(kubeconfig: Path | None, context: str) -> str:
    """Return the user of a context, by default the current one; empty when it is not known."""
    contexts, current = _read(kubeconfig)
    for entry in contexts:
        if entry.get("name") == (context or current):
            return str((entry.get("context") or {}).get("user") or "")
    return ""


def _read(kubeconfig: Path | None) -> tuple[list[dict[str, Any]], str | None]:
    """Return the contexts of all files that count, and the current one; what can't be read is left out."""
    import yaml  # noqa: PLC0415 - only who writes a command, or completes one, needs it

    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    paths = [kubeconfig] if kubeconfig else named or [Path.home() / ".kube" / "config"]
    contexts: list[dict[str, Any]] = []
    current: str | None = None
    for path in paths:
        try:
            read = yaml.safe_load(path.read_text())
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if isinstance(read, dict):
            contexts += [each for each in read.get("contexts") or [] if isinstance(each, dict)]
            current = current or read.get("current-context") or None
    return contexts, current
