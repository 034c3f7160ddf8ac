"""Whether a Prometheus has what the success criteria of a release will ask for."""

from datetime import UTC, datetime

from rollouts.analysis.series_check import SeriesCheck, check_series
from rollouts.bootstrap import prometheus
from rollouts.controller.settings import ControllerSettings
from rollouts.controller.status_store import read_status
from rollouts.errors import RolloutsError
from rollouts.model.finding import Finding
from rollouts.model.kinds import FrozenJSON
from rollouts.model.rollout_key import Key
from rollouts.model.spec import RolloutSpec


async def series_findings(url: str, rollout: FrozenJSON, spec: RolloutSpec) -> list[Finding]:
    """Return what is found of the metrics; a Prometheus that does not answer is a note."""
    status = read_status(rollout)
    if status is None or status.stable_revision is None:
        why = "there is no stable revision yet, whose metrics could be looked for"
        return [Finding("note", "", why)]
    metadata = rollout["metadata"]
    key, stable = Key(metadata["namespace"], metadata["name"]), status.stable_revision
    source = prometheus(ControllerSettings(prometheus_url=url))
    try:
        seen = await check_series(source, key, spec, stable, datetime.now(UTC))
    except RolloutsError as error:
        return [
            Finding("note", "", f"the metrics can't be read, so nothing is said of them: {error}")
        ]
    finally:
        await source.close()
    queries = {each.name for each in spec.success_criteria if each.query is not None}
    return [_finding(each, each.criterion in queries) for each in seen if each.found != "wanted"]


def _finding(check: SeriesCheck, is_query: bool) -> Finding:
    words = f"criterion {check.criterion}: {check.hint}"
    if check.found == "renamed":
        # The built-in criteria know both names; a query has to be written anew.
        return Finding("warning" if is_query else "note", "LabelsRenamed", words)
    if check.found == "absent":
        return Finding("warning", "SeriesAbsent", words)
    return Finding("error", "QueryRefused", words)
