"""
`docs/kills.md`, made from what was counted: no cell is typed.

The counts are in `docs/kills.json`; `make kills` writes both.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from tests.sandbox.kills.stories import STORIES
from tests.sandbox.kills.trial import Account

COUNTS = Path(__file__).parents[3] / "docs" / "kills.json"
_HEAD = (
    *("story", "API server", "kills", "writes", "planned", "killed"),
    *("requests", "lost", "failed", "written twice", "ends"),
)
_BEFORE = """\
# Every kill

`make kills` has made this page. Each story is told under steady traffic in a sandbox, with a controller that reaches the API
server through a proxy. A story that nobody disturbs says what is written. Then the controller is killed (SIGKILL) before and
after each of those writes: before the API server gets it, and after it was made, before the controller hears. Another
process takes over at once. The counts are in [kills.json](kills.json). Where the API server is a real one, so are etcd and the
controllers beside it.
"""
_AFTER = """
- **Kills**: alone is one kill in a telling of its own. In a row is one telling in which one process after the other dies, each
  after at most two writes; what did not come then comes in another.
- **Planned**: both points of each write; where there are fewer, a seed chose a share of them.
- **Lost**: requests that were refused, reset, timed out, or answered by anybody but the app. **Failed**: answered with 5xx.
- **Written twice**: creations, deletions and Events of which a second is another thing. All other writes say what is to be.
- **Ends**: how many different states the namespaces had at the end: routes, Services, sizes, owners, finalizers, conditions, and
  the history of the release.

What a killed controller has decided and not said yet is not said: the Event, the log line and the notification of that
decision are missing, and `status.history` has it.
"""

_TOLD_AGAIN = """
## Told again

These were not as they have to be when all stories were told, and were told again afterwards. Where requests left seconds late,
the machine was busy with other work, and requests time out for that, too.
"""


def page(accounts: Sequence[Account]) -> str:
    """Return the whole page."""
    return f"{_BEFORE}\n{table(accounts)}\n{_AFTER}{told_again(accounts)}"


def table(accounts: Sequence[Account]) -> str:
    """Return the accounts as a table, with their sum."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_cells, accounts), _sum(accounts)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def told_again(accounts: Sequence[Account]) -> str:
    """Return what stories came to that had to be told again; nothing where none had to."""
    lines = [
        f"- {each.story}, {_way(each)}: {problem}."
        for each in accounts
        for problem in each.earlier_problems
    ]
    if not lines:
        return ""
    return "\n".join([_TOLD_AGAIN, *lines, ""])


def read() -> list[Account]:
    """Return the accounts that are kept."""
    return TypeAdapter(list[Account]).validate_json(COUNTS.read_bytes())


def record(accounts: Sequence[Account], *, anew: bool) -> None:
    """
    Keep these accounts in place of those of the same stories on the same API server, and write the page.

    Unless all are told anew, what was wrong with those in whose place they come is kept, too.
    """
    names = [each.name for each in STORIES]
    told = {(each.story, each.real) for each in accounts}
    before = read() if COUNTS.exists() else []
    kept = [each for each in before if (each.story, each.real) not in told and each.story in names]
    wrong = {
        (each.story, each.real, each.loops): each.earlier_problems + each.problems
        for each in before
        if not anew
    }
    kept += [
        each.model_copy(
            update={"earlier_problems": wrong.get((each.story, each.real, each.loops), [])}
        )
        for each in accounts
    ]
    kept.sort(key=lambda each: (each.real, names.index(each.story), each.loops))
    as_json = TypeAdapter(list[Account]).dump_json(kept, indent=2)
    COUNTS.write_bytes(as_json + b"\n")
    COUNTS.with_suffix(".md").write_text(page(kept), encoding="utf-8")


def _cells(account: Account) -> tuple[str, ...]:
    return (
        account.story,
        "real" if account.real else "the sandbox's",
        _way(account),
        f"{account.writes}",
        f"{account.planned}",
        f"{account.killed}",
        f"{account.requests:,}",
        f"{sum(account.lost.values())}",
        f"{account.failed}",
        f"{sum('written twice' in each for each in account.problems)}",
        f"{account.end_states}",
    )


def _way(account: Account) -> str:
    return "in a row" if account.loops else "alone"


def _sum(accounts: Sequence[Account]) -> tuple[str, ...]:
    return (
        "all",
        "",
        "",
        "",
        f"{sum(each.planned for each in accounts)}",
        f"{sum(each.killed for each in accounts)}",
        f"{sum(each.requests for each in accounts):,}",
        f"{sum(sum(each.lost.values()) for each in accounts)}",
        f"{sum(each.failed for each in accounts)}",
        f"{sum('written twice' in problem for each in accounts for problem in each.problems)}",
        "",
    )
