"""
A process that has imported the demo app already, and forks one for every pod that wants it.

    python -P -m rollouts.sandbox.forkserver

Python with aiohttp takes a third of a second of processor time to start; a fork takes a few
milliseconds. Orders come on standard input, one JSON object per line: `{"log": PATH, "env":
{…}}`. Each is answered on standard output, in order: `{"born": PID}` or `{"error": TEXT}`.
`{"gone": PID, "status": STATUS}` follows when one has ended (minus the signal's number when
a signal ended it).

A fork has a session, a log and an environment of its own before it is announced, and the
kernel kills it when this process dies. End of input ends this process, and so all of them.
"""

import gc
import json
import os
import select
import signal
import sys
import traceback
from typing import Any, NoReturn

from rollouts.sandbox import demo_app, parent_death


def tell(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def become_app(order: dict[str, Any], parent: int, announced: int) -> NoReturn:
    """Turn a fresh fork into the demo app; `announced` is closed when it may be spoken of."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        parent_death.die_with(parent)
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for opened, wanted in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(opened, wanted)
        os.environ.clear()
        os.environ.update(order["env"])
        os.close(announced)
        os.closerange(3, 256)
        status = demo_app.main()
    except BaseException:  # noqa: BLE001 -- a fork never returns into its parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def fork(order: dict[str, Any]) -> None:
    """Fork an app, and tell of it once it stands on its own feet."""
    parent = os.getpid()
    waiting, announced = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        tell({"error": str(error)})
        os.close(announced)
    else:
        if pid == 0:
            become_app(order, parent, announced)
        os.close(announced)
        os.read(waiting, 1)  # returns at end of file: ready, or dead already
        tell({"born": pid})
    os.close(waiting)


def reap() -> None:
    """Tell of every fork that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        tell({"gone": pid, "status": os.waitstatus_to_exitcode(status)})


def main() -> None:
    """Serve until the input ends."""
    awake, wake = os.pipe()
    for end in (awake, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.collect()
    gc.freeze()  # so that a collection in a fork does not copy what all of them share
    pending = b""
    while True:
        readable, _, _ = select.select([0, awake], [], [])
        if awake in readable:
            os.read(awake, 4096)
            reap()
        if 0 in readable:
            heard = os.read(0, 65536)
            if not heard:
                return
            *lines, pending = (pending + heard).split(b"\n")
            for line in lines:
                fork(json.loads(line))


if __name__ == "__main__":
    main()
