"""Whether a Prometheus has what the success criteria of a release will ask for."""

from datetime import UTC, datetime

from rollouts.analysis.series_check import Sighting, sightings
from rollouts.bootstrap import prometheus
from rollouts.cli.remarks import Remark, trap
from rollouts.controller.settings import Settings
from rollouts.controller.status_store import recall
from rollouts.errors import RolloutsError
from rollouts.model.finding import Finding
from rollouts.model.keys import Key
from rollouts.model.kinds import FrozenJSON
from rollouts.model.spec import RolloutSpec


async def metric_remarks(url: str, rollout: FrozenJSON, spec: RolloutSpec) -> list[Remark]:
    """Return what is to be said about the metrics; a Prometheus that does not answer is a note."""
    status = recall(rollout)
    if status is None or status.stable_revision is None:
        why = "there is no stable revision yet, whose metrics could be looked for"
        return [Remark("note", "", why)]
    metadata = rollout["metadata"]
    key, stable = Key(metadata["namespace"], metadata["name"]), status.stable_revision
    source = prometheus(Settings(prometheus_url=url))
    try:
        seen = await sightings(source, key, spec, stable, datetime.now(UTC))
    except RolloutsError as error:
        return [Remark("note", "", f"could not look at the metrics: {error}")]
    finally:
        await source.close()
    queries = {each.name for each in spec.success_criteria if each.query is not None}
    return [_remark(each, each.criterion in queries) for each in seen if each.found != "wanted"]


def _remark(sighting: Sighting, is_query: bool) -> Remark:
    words = f"criterion {sighting.criterion}: {sighting.hint}"
    if sighting.found == "renamed" and not is_query:
        return Remark("note", "LabelsRenamed", words)
    return trap(_problem(sighting, words))


def _problem(sighting: Sighting, words: str) -> Finding:
    if sighting.found == "renamed":
        return Finding("warning", "LabelsRenamed", words)
    if sighting.found == "absent":
        return Finding("warning", "SeriesAbsent", words)
    return Finding("error", "QueryRefused", words)
