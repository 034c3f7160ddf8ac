"""
Run a program that the kernel kills when the process that started it dies.

    python -I -S parent_death.py PARENT_PID PROGRAM [ARGUMENT…]

Between fork and exec nothing of ours runs in the child (no `preexec_fn`): this small
program asks for the signal in its own name and then becomes PROGRAM; the request outlives
exec (prctl(2), PR_SET_PDEATHSIG). That the parent is still there is looked at after asking,
so there is no moment in which its death goes unnoticed. Only the standard library is used,
and little of it: it takes about 10 ms.

Exit status, when PROGRAM can't be run, as a shell's: 127 not found, 126 not executable.
"""

import ctypes
import errno
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """
    Have the kernel kill this process when `parent`, which started it, dies.

    Raises:
        OSError: the kernel refuses, or the parent is dead already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl: " + os.strerror(ctypes.get_errno()))
    if os.getppid() != parent:
        raise ProcessLookupError(errno.ESRCH, "the process that started this one has ended")


def main(parent: int, argv: list[str]) -> int:
    """Become `argv`; return an exit status only when that is impossible."""
    try:
        die_with(parent)
        os.execvp(argv[0], argv)  # noqa: S606 -- becoming the program is the point
    except OSError as error:
        sys.stderr.write(f"cannot run {argv[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
