"""
Kills the controller before and after every write of every story, and prints what came of it.

    python -m tests.sandbox.kills [--seed N] [--share S] [--only NAME] [--record] [--control-plane DIR]

With `--record` the accounts of each story go into `docs/kills.json` as soon as it is over, and the page
that is made from it is written anew; what was recorded of other stories stays. With `--only` the page says
what the stories came to before, where that was not as it has to be.

Exits with 1 when a request was lost, a story ended otherwise, or a planned kill never came.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.sandbox.kills import page
from tests.sandbox.kills.proxied_controller import KillSandbox
from tests.sandbox.kills.stories import STORIES
from tests.sandbox.kills.trial import Account, kill_in_all


async def run(given: argparse.Namespace, seed: int) -> list[Account]:
    """Return the accounts of the stories; says what is done, and what is wrong, on standard error."""

    def over(accounts: list[Account]) -> None:
        print(f"{accounts[0].story}: done", file=sys.stderr, flush=True)
        for problem in (each for account in accounts for each in account.problems):
            print(f"  {problem}", file=sys.stderr, flush=True)
        for line in (each for account in accounts for each in account.evidence):
            print(f"    {line}", file=sys.stderr, flush=True)
        if given.record:
            page.record(accounts, anew=not given.only)

    stories = [each for each in STORIES if given.only in each.name]
    with tempfile.TemporaryDirectory() as directory:
        async with KillSandbox(Path(directory) / "sandbox", given.control_plane) as sandbox:
            return await kill_in_all(sandbox, stories, given.share, seed, over)


def main() -> int:
    """Print the table, or JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.kills")
    parser.add_argument("--seed", type=int, help="chooses the points; default: any")
    parser.add_argument("--share", type=float, default=1.0, help="of the points, from 0 to 1")
    parser.add_argument("--only", default="", metavar="NAME", help="stories with this in the name")
    parser.add_argument("--record", action="store_true", help="write docs/kills.json and its page")
    parser.add_argument(
        "--control-plane", type=Path, metavar="DIR", help="where the programs of a real one are"
    )
    given = parser.parse_args()
    seed = random.randrange(10_000) if given.seed is None else given.seed
    print(f"seed {seed}, {given.share:.0%} of the points", file=sys.stderr)
    accounts = asyncio.run(run(given, seed))
    print(page.table(accounts))
    return 0 if all(each.clean for each in accounts) else 1


if __name__ == "__main__":
    sys.exit(main())
