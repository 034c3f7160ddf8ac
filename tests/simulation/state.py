"""How far a run of many weeks has come, and what was counted in them: kept in a file, from which it goes on."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

from tests.simulation.failures import Failure, WeekOutcome
from tests.simulation.setups import SETUPS

HEAD = [
    "| setup | weeks | releases | reconciles | writes that were checked | failed |",
    "|---|--:|--:|--:|--:|--:|",
]


@dataclass
class WeekCounts:
    """What was counted in the weeks of one setup."""

    weeks: int = 0
    releases: int = 0
    reconciles: int = 0
    writes: int = 0
    failures: int = 0

    def add(self, outcome: WeekOutcome) -> None:
        self.weeks += 1
        self.releases += outcome.releases
        self.reconciles += outcome.reconciles
        self.writes += outcome.writes
        self.failures += outcome.failure is not None


@dataclass
class State:
    """Seeds are done in their order, from `seed` on."""

    seed: int
    wanted: int = 0
    """How many weeks there are to be."""
    done: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    commits: dict[str, int] = field(default_factory=dict)
    """How many weeks were lived with which commit."""
    counts: dict[str, WeekCounts] = field(
        default_factory=lambda: {name: WeekCounts() for name in SETUPS}
    )
    failures: list[Failure] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path | None, seed: int) -> "State":
        """
        Return what is in a file; the beginning where there is none.

        Raises:
            SystemExit: it is the state of another run.
        """
        if file is None or not file.exists():
            return cls(seed)
        found = cls.of(json.loads(file.read_text(encoding="utf-8")))
        if found.seed != seed:
            sys.exit(f"{file} is about weeks from seed {found.seed} on; name another --state")
        return found

    @classmethod
    def of(cls, found: dict[str, object]) -> "State":
        """Return the state that `asdict` has made JSON of."""
        state = cls(**found)  # type: ignore[arg-type]
        state.counts = {name: WeekCounts(**each) for name, each in state.counts.items()}  # type: ignore[arg-type]
        state.failures = [Failure(**each) for each in state.failures]  # type: ignore[arg-type]
        return state

    def write(self, file: Path | None) -> None:
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self)), encoding="utf-8")
        beside.replace(file)

    def add(self, outcome: WeekOutcome, commit: str) -> None:
        self.done += 1
        self.cpu_seconds += outcome.cpu_seconds
        self.commits[commit] = self.commits.get(commit, 0) + 1
        self.counts[outcome.setup].add(outcome)
        if outcome.failure is not None:
            self.failures.append(outcome.failure)

    def tell_again(self, tell: Callable[[int], WeekOutcome]) -> None:
        """Live the weeks that failed once more: what passes since it was mended is no failure any more."""
        failures, self.failures = self.failures, []
        for failure in failures:
            outcome = tell(failure.seed)
            if outcome.failure is not None:
                self.failures.append(outcome.failure)
            else:
                self.counts[outcome.setup].failures -= 1

    @property
    def table(self) -> str:
        """The counts, as Markdown."""
        counts = {name: astuple(each) for name, each in self.counts.items()}
        counts["all"] = tuple(sum(column) for column in zip(*counts.values(), strict=True))
        rows = [
            f"| {name} | {' | '.join(f'{count:,}' for count in row)} |"
            for name, row in counts.items()
        ]
        return "\n".join([*HEAD, *rows])
