"""
Verbs that people know from kubectl and other tools: ours under their name, or a pointer to ours.

Aliases are left out of --help, where each thing has one name.
"""

import typer.core

from rollouts.errors import UsageError

ALIASES = {"undo": "rollback", "describe": "get", "status": "wait"}
"""What does the same under our name: `kubectl rollout status` waits, too."""

POINTERS = {
    "dashboard": "`rollouts get NAME --watch` keeps one Rollout live, and `rollouts list -A` shows all",
    "set": "`rollouts set-image NAME CONTAINER=IMAGE` changes an image",
    "terminate": "`rollouts abort NAME` sends all traffic back to stable",
    "scale": "`kubectl scale rollouts.rollouts.dev NAME --replicas N` does that",
    "create": "`kubectl apply -f FILE` does that",
    "delete": "`kubectl delete rollouts.rollouts.dev NAME` does that",
    "logs": "`kubectl logs -l rollouts.dev/rollout=NAME` shows those of its pods",
    "completion": "`rollouts --install-completion` installs it, and `--show-completion` prints it",
    "install": "`rollouts manifests --image IMAGE | kubectl apply -f -` installs the controller",
}


class Verbs(typer.core.TyperGroup):
    """The verbs; one that is known from elsewhere is answered by the one that does it here."""

    def get_command(self, ctx, cmd_name):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - Typer exports no names for these
        """Return the verb of this name, if there is one."""
        found = super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))
        if found is None and cmd_name in POINTERS and not ctx.resilient_parsing:
            raise UsageError(f"there is no verb {cmd_name}: {POINTERS[cmd_name]}")
        return found
