"""
How a release that was waited for is told to CI: as JUnit's XML, or as Markdown for a job's summary.

Pure, but for `read_ci_report`, which asks what there is to tell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self
from xml.etree import ElementTree as ET

from rollouts.cli.output import plain, plain_object
from rollouts.cli.past_releases import (
    criterion_words,
    in_words,
    is_under_way,
    read_past_releases,
    who,
)
from rollouts.cli.session import Session
from rollouts.cli.wait_outcome import Exit, WaitOutcome, Wanted
from rollouts.errors import RolloutsError
from rollouts.model.kinds import FrozenJSON
from rollouts.model.status import (
    CriterionStatus,
    Exposure,
    HistoryEntry,
    ReleaseRecord,
    RolloutStatus,
)

_MARKS = {Exit.PROMOTED: "✅", Exit.FAILED: "❌", Exit.USAGE: "❌"}
_VERDICTS = {
    "pass": "✅ pass",
    "fail": "❌ fail",
    "inconclusive": "❔ inconclusive",
    "error": "❗ error",
}


@dataclass(frozen=True, slots=True)
class ReleaseDetails:
    """What is known of one release, over or not; every text in it is plain."""

    step: str = ""
    images: tuple[str, ...] = ()
    seconds: float = 0.0
    by: str = ""
    criteria: tuple[CriterionStatus, ...] = ()
    exposure: Exposure = field(default_factory=Exposure)
    decisions: tuple[HistoryEntry, ...] = ()

    @classmethod
    def of_record(cls, record: ReleaseRecord) -> Self:
        """Return what is on record of a release that is over."""
        return cls(
            step=record.step,
            images=tuple(record.revision.images),
            seconds=(record.ended_at - record.started_at).total_seconds(),
            by=who(record),
            criteria=tuple(record.criteria),
            exposure=record.exposure,
            decisions=tuple(record.decisions),
        )

    @classmethod
    def of_status(cls, status: RolloutStatus, now: datetime) -> Self:
        """Return what status says of the release that is under way."""
        current, begun = status.current_revision, status.started_at
        return cls(
            step=status.step,
            images=tuple(current.images) if current is not None else (),
            seconds=(now - begun).total_seconds() if begun is not None else 0.0,
            criteria=tuple(status.criteria),
            exposure=status.exposure,
            decisions=tuple(
                each
                for each in status.history
                if current is not None and each.revision == current.number
            ),
        )


@dataclass(frozen=True, slots=True)
class CiReport:
    """How waiting for a revision ended, and what is known of its release."""

    rollout: str
    namespace: str
    revision: str
    outcome: WaitOutcome
    release: ReleaseDetails = ReleaseDetails()

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.rollout} {self.revision}"


async def read_ci_report(
    session: Session, name: str, found: WaitOutcome, wanted: Wanted
) -> CiReport:
    """Return the report; without details where the cluster does not give them."""
    ref = session.rollout(name)
    try:
        rollout = await session.requests.get(ref)
        release = await _details(session, rollout, wanted)
    except RolloutsError:
        release = ReleaseDetails()
    return CiReport(ref.name, ref.namespace, str(wanted), found, release)


async def _details(session: Session, rollout: FrozenJSON, wanted: Wanted) -> ReleaseDetails:
    number, hash_ = wanted.number, wanted.hash
    if is_under_way(rollout, number, hash_):
        status = RolloutStatus.model_validate(plain_object(rollout.get("status") or {}))
        return ReleaseDetails.of_status(status, datetime.now(UTC))
    past = await read_past_releases(session.requests, rollout)
    return next(map(ReleaseDetails.of_record, past.of(number, hash_)), ReleaseDetails())


def junit(report: CiReport) -> str:
    """Return it as the XML of JUnit: a test for the release, and one for each of its criteria."""
    release, outcome = report.release, report.outcome
    place = f"{report.namespace}.{report.rollout}"
    cases = [_case(place, f"{report.revision} is promoted", release.seconds)]
    if outcome.exit is not Exit.PROMOTED:
        _say(cases[0], "failure", outcome.message, outcome.word)
    for each in release.criteria:
        case = _case(f"{place}.criteria", each.name)
        if each.verdict != "pass":
            tag = {"fail": "failure", "error": "error"}.get(each.verdict, "skipped")
            _say(case, tag, criterion_words(each), each.verdict)
        cases.append(case)
    counts = _counts(cases, release.seconds)
    suite = ET.Element("testsuite", {"name": plain(report.title), **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in _facts(report):
        ET.SubElement(properties, "property", name=name, value=plain(value))
    suite.extend(cases)
    told = [f"{each.at:%Y-%m-%dT%H:%M:%SZ}  {plain(each.message)}" for each in release.decisions]
    ET.SubElement(suite, "system-out").text = "\n".join([*told, plain(outcome.message)])
    root = ET.Element("testsuites", {"name": "rollouts", **counts})
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _case(place: str, name: str, seconds: float = 0.0) -> ET.Element:
    return ET.Element("testcase", classname=plain(place), name=plain(name), time=f"{seconds:.3f}")


def _say(case: ET.Element, tag: str, message: str, word: str) -> None:
    ET.SubElement(case, tag, message=plain(message), type=word).text = plain(message)


def _counts(cases: Sequence[ET.Element], seconds: float) -> dict[str, str]:
    found = {
        name: sum(each.find(tag) is not None for each in cases)
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    counts = {"tests": len(cases), **found}
    return {**{name: str(count) for name, count in counts.items()}, "time": f"{seconds:.3f}"}


def _facts(report: CiReport) -> Iterable[tuple[str, str]]:
    release = report.release
    seen = release.exposure
    yield "outcome", report.outcome.word
    yield "exitCode", str(int(report.outcome.exit))
    if release.images:
        yield "images", ", ".join(release.images)
        yield "step", release.step
        yield "took", in_words(release.seconds)
        yield "requests", f"{seen.canary_requests:,}"
        yield "failed", f"{seen.canary_failures:,}"
    if release.by:
        yield "by", release.by


def markdown(report: CiReport) -> str:
    """Return it as Markdown, for `$GITHUB_STEP_SUMMARY` and its like."""
    mark = _MARKS.get(report.outcome.exit, "⚠️")
    facts = list(_facts(report))
    parts = [
        f"### {mark} {_cell(report.title)}: {report.outcome.word}",
        _cell(report.outcome.message),
        _table([name for name, _ in facts], [[value for _, value in facts]]),
    ]
    if report.release.criteria:
        heads = ["criterion", "verdict", "bad / requests", "stable", "in words"]
        parts += ["#### Criteria", _table(heads, map(_criterion, report.release.criteria))]
    if report.release.decisions:
        rows = [[f"{each.at:%H:%M:%S} UTC", each.message] for each in report.release.decisions]
        parts += ["#### Decisions", _table(["at", "decision"], rows)]
    return "\n\n".join(parts)


def _criterion(each: CriterionStatus) -> list[str]:
    counted = each.requests > 0
    return [
        each.name,
        _VERDICTS[each.verdict],
        f"{each.failures:,} / {each.requests:,}" if counted else "–",
        f"{each.stable_failures:,} / {each.stable_requests:,}" if each.stable_requests else "–",
        criterion_words(each),
    ]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Return a text that is one line, and in which nothing is taken for Markdown's or HTML's own."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return text.replace("`", "\\`").replace("[", "\\[").replace("@", "&#64;")
