"""
What every verb is given: the settings of this call, and a connection to the cluster.

`--namespace`, `--kubeconfig` and `--context` may stand before or after the verb, as with
kubectl; the decorator `cluster_verb` gives them to a verb without adding to its parameters.
"""

import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, Protocol

import typer

from rollouts.errors import UsageError
from rollouts.model.kinds import (
    DEPLOYMENT,
    GROUP,
    JSON,
    REPLICA_SET,
    REVISION_LABEL,
    ROLLOUT,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.owners import is_controlled_by

P = ParamSpec("P")

_KINDS = ("rollout", "rollouts", "ro", "rodev", f"rollouts.{GROUP}")
_NAMESPACE = Kind("", "v1", "namespaces", "Namespace", is_namespaced=False)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")

NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        help="The namespace. Default: the kubeconfig context's.",
        metavar="NAME",
        autocompletion=lambda ctx, incomplete: complete_namespace(ctx, incomplete),  # noqa: PLW0108 - it is defined below
    ),
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="The kubeconfig. Default: $KUBECONFIG, else ~/.kube/config."),
]
ContextOption = Annotated[
    str,
    typer.Option(
        "--context",
        help="The kubeconfig's context to use.",
        metavar="NAME",
        autocompletion=lambda ctx, incomplete: complete_context(ctx, incomplete),  # noqa: PLW0108 - as above
    ),
]


class ReadRequests(Protocol):
    """The requests of verbs that only look, one by one and uncached."""

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context."""
        ...

    async def get(self, ref: Ref) -> JSON: ...

    async def select(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[JSON]: ...

    def watch(self, ref: Ref) -> AsyncGenerator[JSON | None]:
        """Yield the object (None: it is not there) now and after each change."""
        ...


class Requests(ReadRequests, Protocol):
    """The requests that verbs make."""

    async def patch(self, ref: Ref, body: FrozenJSON, subresource: str = "") -> JSON: ...

    async def delete(self, ref: Ref) -> None:
        """Delete the object, in the background; raise `NotFound` when it is not there."""
        ...


@dataclass(slots=True)
class GlobalOptions:
    """The global options of one call."""

    namespace: str = ""
    kubeconfig: Path | None = None
    context: str = ""
    debug: bool = False
    connect: "Callable[[GlobalOptions], AbstractAsyncContextManager[Requests]]" = field(
        default_factory=lambda: _connect
    )

    def override(self, namespace: str, kubeconfig: Path | None, context: str) -> None:
        """Take over what is given; what is not keeps its value."""
        self.namespace = namespace or self.namespace
        self.kubeconfig = kubeconfig or self.kubeconfig
        self.context = context or self.context


@dataclass(frozen=True, slots=True)
class Session:
    """A connection, and the namespace that the verb is about."""

    requests: Requests
    namespace: str
    settings: GlobalOptions

    def rollout(self, name: str) -> Ref:
        """
        Return the reference of the Rollout that `NAME` or `rollout/NAME` means.

        Raises:
            UsageError: it names something else, or nothing.
        """
        kind, _, own = name.rpartition("/")
        if kind not in ("", *_KINDS):
            raise UsageError(f"{name} does not name a Rollout; give NAME or rollout/NAME")
        for what, value in (("Rollout", own), ("namespace", self.namespace)):
            if not _NAME.fullmatch(value):
                raise UsageError(
                    f"{value!r} can't be the name of a {what}, which has letters a-z, digits, - and ."
                )
        return Ref(ROLLOUT, self.namespace, own)


ClusterVerb = Callable[Concatenate[Session, P], Awaitable[int | None]]
OptionsVerb = Callable[Concatenate[GlobalOptions, P], int | None]


def cluster_verb(verb: ClusterVerb[P]) -> Callable[..., None]:
    """
    Return `verb` as Typer takes it: connected, with the options that say to what.

    What the coroutine returns is the exit status; None is 0.
    """
    return _with_options(verb, lambda settings, **given: run_verb(verb, settings, given))


def options_verb(verb: OptionsVerb[P]) -> Callable[..., None]:
    """As `cluster_verb`, for a verb that connects by itself, and only if it has to."""
    return _with_options(verb, verb)


def _with_options(verb: Callable[..., Any], call: Callable[..., int | None]) -> Callable[..., None]:
    def run(ctx: typer.Context, **given: Any) -> None:
        settings = ctx.ensure_object(GlobalOptions)
        settings.override(*(given.pop(name) for name in ("namespace", "kubeconfig", "context")))
        code = call(settings, **given)
        if code:
            raise typer.Exit(code)

    own = list(inspect.signature(verb).parameters.values())[1:]
    run.__name__, run.__doc__ = verb.__name__, verb.__doc__
    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
        _option("namespace", "", NamespaceOption),
        _option("kubeconfig", None, KubeconfigOption),
        _option("context", "", ContextOption),
    ]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _option(name: str, default: object, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def run_verb(verb: ClusterVerb[...], settings: GlobalOptions, given: Mapping[str, Any]) -> int:
    """Connect, run the coroutine, and return its exit status."""
    import asyncio  # noqa: PLC0415 - only verbs that need it pay for it

    async def connected() -> int:
        async with settings.connect(settings) as requests:
            namespace = settings.namespace or requests.namespace
            return await verb(Session(requests, namespace, settings), **given) or 0

    return asyncio.run(connected())


def _connect(settings: GlobalOptions) -> AbstractAsyncContextManager[Requests]:
    from rollouts.kube.requests import KubeRequests  # noqa: PLC0415 - takes most of a second

    return KubeRequests(settings.kubeconfig, settings.context or None)


Read = Callable[[Session], Awaitable[Iterable[str]]]


def _completions(ctx: typer.Context, incomplete: str, read: Read) -> list[str]:
    """Return what `read` finds that begins so; nothing when the cluster does not answer within 2 s."""
    import asyncio  # noqa: PLC0415 - as above

    async def names(session: Session) -> int:
        async with asyncio.timeout(2):
            found.extend(await read(session))
        return 0

    found: list[str] = []
    settings = ctx.find_object(GlobalOptions) or GlobalOptions()
    given = ctx.params
    settings.override(
        given.get("namespace") or "", given.get("kubeconfig"), given.get("context") or ""
    )
    try:
        run_verb(names, settings, {})
    except Exception:  # noqa: BLE001 - a completion must never disturb the line being typed
        return []
    return sorted({name for name in found if name.startswith(incomplete)})


def _named(ctx: typer.Context) -> str:
    """Return the Rollout that the line names so far; before an option without its value it is left over."""
    rest = [word for word in ctx.args if not word.startswith("-")]
    return str(ctx.params.get("name") or (rest[0] if rest else ""))


def complete_rollout(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of Rollouts that begin so."""

    async def read(session: Session) -> list[str]:
        found = await session.requests.select(ROLLOUT, session.namespace)
        return [rollout["metadata"]["name"] for rollout in found]

    return _completions(ctx, incomplete, read)


def complete_namespace(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the namespaces that begin so."""

    async def read(session: Session) -> list[str]:
        return [each["metadata"]["name"] for each in await session.requests.select(_NAMESPACE)]

    return _completions(ctx, incomplete, read)


def complete_context(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the contexts of the kubeconfig that begin so."""
    from rollouts.cli.kubeconfig import context_names  # noqa: PLC0415 - brings yaml

    settings = ctx.find_object(GlobalOptions) or GlobalOptions()
    found = context_names(ctx.params.get("kubeconfig") or settings.kubeconfig)
    return [name for name in found if name.startswith(incomplete)]


def complete_revision(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the numbers of the Rollout's revisions that begin so."""

    async def read(session: Session) -> list[str]:
        rollout = await session.requests.get(session.rollout(_named(ctx)))
        owned = await session.requests.select(REPLICA_SET, session.namespace)
        told = [
            {**(each["metadata"].get("annotations") or {}), **each["metadata"].get("labels", {})}
            for each in owned
            if is_controlled_by(each, rollout)
        ]
        return [str(each[REVISION_LABEL]) for each in told if each.get(REVISION_LABEL)]

    return _completions(ctx, incomplete, read)


def complete_container(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return CONTAINER= for the containers of the template that begin so, also of a workloadRef's."""

    async def read(session: Session) -> list[str]:
        owner = await session.requests.get(session.rollout(_named(ctx)))
        workload = owner["spec"].get("workloadRef")
        if workload:
            home = Ref(DEPLOYMENT, session.namespace, workload["name"])
            owner = await session.requests.get(home)
        pod = owner["spec"]["template"]["spec"]
        return [f"{each['name']}=" for each in pod["containers"]]

    return _completions(ctx, incomplete, read)


RolloutName = Annotated[
    str,
    typer.Argument(
        help="The Rollout's name.",
        metavar="NAME",
        show_default=False,
        autocompletion=complete_rollout,
    ),
]
RevisionOption = Annotated[
    str,
    typer.Option(
        "--revision",
        metavar="R",
        help="The revision that is meant: its number or hash.",
        autocompletion=complete_revision,
    ),
]
