"""
`docs/reliability.md`, made from what was recorded: no number is typed.

    python -m tests.simulation.record

Prints the page of `docs/reliability.json`, which `make sim` writes with `--record`, and `make planted`.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.simulation.planted.patches import every_planted
from tests.simulation.state import State

RECORDED = Path(__file__).parents[2] / "docs" / "reliability.json"
PAGE = RECORDED.with_suffix(".md")

_BEFORE = """\
# Bad weeks

The real reconciler, from what it observes to what its routers write, lives through weeks in which a cluster does what clusters do,
in virtual time. A week is one Rollout and at least four releases, good and bad. Pods crash, are evicted, lose their nodes or find no
room; watches are late, answers get lost, webhooks refuse, the controller dies between two writes, Prometheus falls silent;
people edit, command, meddle and restore from backups. After each write all invariants are asked: nobody's request is sent to
nobody, no weight rises over evidence or onto pods that are not there, traffic goes back before status says so, no pods go that may
still be needed, and when it is quiet again everything settles, with nothing left behind.

Each number on this page was written by the commands that are named here, into [reliability.json](reliability.json).
"""
_WEEKS = """
## Weeks

`{again}` goes on where it was stopped. It has lived through {done:,} of {wanted:,} weeks, {commits}, in {hours:.1f}
hours; a week costs {cpu:.2f} s of CPU time. What failed is lived again when it goes on, and is no failure any more if it passes.
{failed}

{table}
"""
_PLANTED = """
## Planted bugs

Who believes in a test that was never seen to fail? `make planted` plants bugs in copies of the product, one after the
other, and lives through weeks from the first seed on, until one fails that does not fail without the bug. {found} of {planted}
bugs were found within {most_runs:,} weeks each.

| planted | what it does | weeks until it was found | by |
|---|---|--:|---|
{rows}
"""


@dataclass
class Bug:
    """A bug that was planted: `weeks` until it was found, and by what; or how many it was not found in."""

    what: str
    weeks: int
    invariant: str = ""
    message: str = ""
    commit: str = ""

    def row(self, name: str) -> str:
        if not self.invariant:
            weeks = f"not in {self.weeks:,}" if self.weeks else "not tried yet"
            return f"| {name} | {self.what} | {weeks} | |"
        message = self.message.replace("|", "\\|")
        return f"| {name} | {self.what} | {self.weeks:,} | `{self.invariant}`: {message} |"


@dataclass
class Record:
    """What is kept of both commands."""

    weeks: State | None = None
    most_runs: int = 0
    planted: dict[str, Bug] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path = RECORDED) -> "Record":
        """Return what is recorded so far."""
        if not file.exists():
            return cls()
        found = json.loads(file.read_text(encoding="utf-8"))
        weeks = State.of(found["weeks"]) if found["weeks"] else None
        planted = {name: Bug(**each) for name, each in found["planted"].items()}
        return cls(weeks, found["most_runs"], planted)

    def write(self) -> None:
        """Keep it, and make the page anew."""
        RECORDED.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(self.page, encoding="utf-8")

    @property
    def page(self) -> str:
        """The whole page."""
        return _BEFORE + self._weeks() + self._planted()

    def _weeks(self) -> str:
        state = self.weeks
        if state is None or not state.done:
            return ""
        lived = [f"{count:,} of commit {name}" for name, count in state.commits.items()]
        failures = [f"{each.again} ({each.invariant}: {each.message})" for each in state.failures]
        return _WEEKS.format(
            again=f"make weeks SEED={state.seed} RUNS={state.wanted}",
            done=state.done,
            wanted=state.wanted,
            commits=", ".join(lived),
            hours=state.seconds / 3600,
            cpu=state.cpu_seconds / state.done,
            failed=f"These fail: {'; '.join(failures)}." if failures else "None fails.",
            table=state.table,
        )

    def _planted(self) -> str:
        untried = {each.name: Bug(each.what, 0) for each in every_planted()}
        planted = {**untried, **self.planted}
        return _PLANTED.format(
            found=sum(bool(each.invariant) for each in planted.values()),
            planted=len(planted),
            most_runs=self.most_runs,
            rows="\n".join(each.row(name) for name, each in sorted(planted.items())),
        )


if __name__ == "__main__":
    print(Record.read().page, end="")
