"""The examples for CI: their own script lines release, wait, tell what happened, and stop a release."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from rollouts.model.kinds import JSON
from tests.sandbox.releases import manifests
from tests.sandbox.releases.release import Release
from tests.sandbox.releases.scenarios import Running, Scenario, name_of
from tests.sandbox.releases.verbs import Ended

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

FOLDER = Path(__file__).parents[3] / "examples" / "ci"
SECONDS = 150


@dataclass(frozen=True)
class Job:
    """What a file for CI runs, as shell scripts."""

    release: str
    cancelled: str
    """What is run beside it when somebody cancels the job."""
    always: str
    environment: Mapping[str, str]
    report: str
    """The file in which the CI system finds what happened."""


def parsed(name: str) -> JSON:
    return dict(yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")))


def github() -> Job:
    workflow = parsed("github-actions.yml")
    steps = {step.get("if", ""): step["run"] for step in workflow["jobs"]["release"]["steps"]}
    assert len(steps) == 3
    environment = {"GITHUB_STEP_SUMMARY": "summary.md", "GITHUB_RUN_ID": "7"}
    known = {**workflow["env"], **environment}
    cancelled = steps["cancelled() && steps.release.outcome != 'skipped'"]
    return Job(steps[""], cancelled, steps["always()"], known, "summary.md")


def gitlab() -> Job:
    (job,) = parsed("gitlab-ci.yml").values()
    (release,), (cancelled, always) = job["script"], job["after_script"]
    known = {**job["variables"], "CI_JOB_STATUS": "canceled", "CI_JOB_ID": "7"}
    return Job(release, cancelled, always, known, job["artifacts"]["reports"]["junit"])


async def run(script: str, job: Job, release: Release, directory: Path, image: str) -> Ended:
    """Run a script as a runner does: by bash, where its files are kept, and it ends with the first error."""
    here = {
        "ROLLOUT": manifests.NAME,
        "NAMESPACE": release.namespace,
        "CONTAINER": str(manifests.container("")["name"]),
        "IMAGE": image,
    }
    assert here.keys() <= job.environment.keys()
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eo", "pipefail", "-c", script),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "KUBECONFIG": str(release.sandbox.kubeconfig),
            **job.environment,
            **here,
        },
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def released_and_cancelled(release: Release, job: Job) -> tuple[str, str]:
    """Have the job promote one version and be cancelled with the next; return both reports."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        report = directory / job.report
        await release.deploys(manifests.UNTIL_PROMOTED, successCriteria=[])

        first = asyncio.create_task(run(job.release, job, release, directory, "demo/web:2"))
        await release.is_at(50)
        release.commands("promote")
        done = await first
        assert done.code == 0, done.err
        good = report.read_text(encoding="utf-8")
        report.unlink()

        second = asyncio.create_task(run(job.release, job, release, directory, "demo/web:3"))
        await release.until(lambda: release.status["currentRevision"]["number"] == 3)
        await release.is_at(50)
        stopped = await run(job.cancelled, job, release, directory, "demo/web:3")
        assert stopped.code == 0, stopped.err
        done = await second
        assert done.code == 1, done.err

        listed = await run(job.always, job, release, directory, "demo/web:3")
        assert listed.code == 0, listed.err
        outcomes = [line.split()[:2] for line in listed.out.splitlines()[1:]]
        assert outcomes == [["3", "RolledBack"], ["2", "Promoted"], ["1", "Promoted"]]
        assert "job 7 was cancelled" in listed.out
        return good, report.read_text(encoding="utf-8")


async def a_job_of_github_releases_and_is_cancelled(release: Release) -> None:
    good, bad = await released_and_cancelled(release, github())
    title = f"{release.namespace}/{manifests.NAME} revision"
    assert good.startswith(f"### ✅ {title} 2: promoted\n")
    assert bad.startswith(f"### ❌ {title} 3: rolled-back\n")
    assert "job 7 was cancelled" in bad
    assert "the canary has 50 % of the traffic" in bad


async def a_job_of_gitlab_releases_and_is_cancelled(release: Release) -> None:
    good, bad = await released_and_cancelled(release, gitlab())
    suites = [ET.fromstring(each)[0] for each in (good, bad)]
    assert [each.get("failures") for each in suites] == ["0", "1"]
    failure = suites[1].find("testcase/failure")
    assert failure is not None
    assert "job 7 was cancelled" in str(failure.get("message"))


@pytest.mark.parametrize(
    "scenario",
    [a_job_of_github_releases_and_is_cancelled, a_job_of_gitlab_releases_and_is_cancelled],
    ids=name_of,
)
async def test(scenario: Scenario, running: Running) -> None:
    await running.result(scenario)


async def test_every_example_is_run() -> None:
    assert {each.name for each in FOLDER.iterdir()} == {"github-actions.yml", "gitlab-ci.yml"}
