"""`set-image`: a new release, as CI makes one."""

from typing import Annotated, Any

import typer

from rollouts.cli.output import WaitFormat, WaitOutputOption, duration_option, emit, say
from rollouts.cli.session import RolloutName, Session, complete_container
from rollouts.cli.wait import TimeoutOption, report, wait_for
from rollouts.cli.watch_rollout import get_rollout
from rollouts.errors import Conflict, Permanent, UsageError
from rollouts.model.kinds import JSON, Ref

_ATTEMPTS = 8

ImagesArgument = Annotated[
    list[str],
    typer.Argument(
        help="The container, and its new image.",
        metavar="CONTAINER=IMAGE",
        show_default=False,
        autocompletion=complete_container,
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for its promotion; exit statuses as of `wait`.")
]


async def set_image(
    session: Session,
    name: RolloutName,
    images: ImagesArgument,
    *,
    wait: WaitOption = False,
    timeout: TimeoutOption = "",  # noqa: ASYNC109 - an option of the verb, named as users know it
    output: WaitOutputOption = WaitFormat.TEXT,
) -> int:
    """
    Change images in the template, which makes a new revision. With workloadRef the template is the Deployment's.

    Prints the revision's hash, which `wait --revision` takes.

    \b
    Examples:
      rollouts set-image checkout web=shop/checkout:1.4
      rollouts set-image checkout web=shop/checkout:1.4 --wait --timeout 15m
    """  # noqa: D301 - \b keeps the lines apart
    from rollouts.cli.template_source import revision_written_in, template_owner  # noqa: PLC0415 - brings pydantic

    seconds = duration_option(timeout)
    if seconds is not None and not wait:
        raise UsageError("--timeout says how long to wait; add --wait")
    if output in (WaitFormat.JUNIT, WaitFormat.GITHUB) and not wait:
        raise UsageError(f"--output {output} tells how a release ended; add --wait")
    wanted = parse_images(images)
    ref = session.rollout(name)
    home = template_owner(rollout := await get_rollout(session.requests, ref), ref)
    written, changed = await _change(session, home, wanted)
    now = await revision_written_in(session.requests, rollout, written)
    hash_ = now.hash
    if wait:
        say(f"{name}: the template is revision {hash_} now")
        found, meant = await wait_for(session, name, now, seconds)
        await report(session, name, (found, meant), output)
        return int(found.exit)
    if output is WaitFormat.TEXT:
        given = ", ".join(images)
        if changed:
            print(f"{name}: the template is revision {hash_} now ({given})")
        else:
            print(f"{name}: revision {hash_} has these images already ({given})")
    else:
        emit({"rollout": name, "hash": hash_, "changed": changed}, output)
    return 0


def parse_images(given: list[str]) -> dict[str, str]:
    """
    Return image by container.

    Raises:
        UsageError: an argument is not container=image, or a container is named twice.
    """
    wanted: dict[str, str] = {}
    for argument in given:
        container, equals, image = argument.partition("=")
        if not equals or not container or not image:
            raise UsageError(f"expected CONTAINER=IMAGE, got {argument!r}")
        if container in wanted:
            raise UsageError(f"container {container} is named twice; give each one image")
        wanted[container] = image
    return wanted


async def _change(session: Session, ref: Ref, wanted: dict[str, str]) -> tuple[JSON, bool]:
    """
    Write the images onto exactly the object that was read; try again when somebody wrote first.

    A merge patch replaces the whole list of containers, so it carries the resourceVersion.
    """
    for attempt in range(_ATTEMPTS):
        present = await session.requests.get(ref)
        pod = ((present.get("spec") or {}).get("template") or {}).get("spec") or {}
        changed = with_images(pod, wanted)
        if not changed:
            return present, False
        body = {
            "metadata": {"resourceVersion": present["metadata"]["resourceVersion"]},
            "spec": {"template": {"spec": changed}},
        }
        try:
            return await session.requests.patch(ref, body), True
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def with_images(pod: JSON, wanted: dict[str, str]) -> JSON:
    """
    Return the container lists that change, complete; empty when all is as wanted.

    Raises:
        Permanent: there is no container of that name.
    """
    known: list[str] = []
    changed: dict[str, Any] = {}
    for field in ("containers", "initContainers"):
        containers = pod.get(field) or []
        names = [str(container.get("name")) for container in containers]
        known += names
        after = [
            {**container, "image": wanted.get(name, container.get("image"))}
            for name, container in zip(names, containers, strict=True)
        ]
        if after != containers:
            changed[field] = after
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise Permanent(
            f"the template has no container {unknown[0]}; it has {', '.join(known) or 'none'}"
        )
    return changed
