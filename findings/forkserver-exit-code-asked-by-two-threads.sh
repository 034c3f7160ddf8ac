#!/bin/sh
# A process of multiprocessing's forkserver that ends with 0 has ended with 255, when two threads ask.
#
# Versions: CPython 3.11 (its `multiprocessing`), no other package.
#
# Expected: `Process.exitcode` may be asked by any thread, as `subprocess.Popen.returncode` may (which
# has a lock for it), and as it may with the start methods "fork" and "spawn".
# Behaviour: with "forkserver" the code arrives once, through a pipe. Two threads that see the pipe
# readable at the same time both read: one gets the code, the other the end of the file, which is
# taken for a forkserver that has died, and written down as 255, over the code that the first has
# found. One need not ask oneself: `Process.start` asks of all children that there are. So an asyncio
# program that starts its processes by `asyncio.to_thread(process.start)`, and asks how another has
# ended on its loop, now and then reads 255 of one that went well.
# Way out: start them, and ask, in one thread only (an executor with one worker), or under a lock.
#
# Output seen (of 100 processes that end with 0, how many are said to have ended otherwise; the number
# differs from run to run):
#   fork: 0
#   spawn: 0
#   forkserver: 69
set -eu
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
cat > "$there/ask.py" <<'PROGRAM'
import multiprocessing, sys, threading, time


def work():
    time.sleep(0.02)


def ask(process, codes):
    while (code := process.exitcode) is None:
        pass
    codes.append(code)


if __name__ == "__main__":
    context, wrong = multiprocessing.get_context(sys.argv[1]), 0
    for _ in range(100):
        process, codes = context.Process(target=work), []
        process.start()
        threads = [threading.Thread(target=ask, args=(process, codes)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wrong += set(codes) != {0}
    print(wrong)
PROGRAM

failed=0
for method in fork spawn forkserver; do
    wrong=$(cd "$there" && python3 ask.py "$method")
    echo "$method: $wrong"
    if [ "$method" = forkserver ]; then [ "$wrong" -gt 0 ] || failed=1; else [ "$wrong" -eq 0 ] || failed=1; fi
done
exit "$failed"
