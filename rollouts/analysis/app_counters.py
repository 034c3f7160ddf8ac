"""
What the pods of two revisions count themselves.

Every service discovery of Kubernetes tells a target's namespace and pod, and a pod's name
begins with its ReplicaSet's, `<rollout>-<hash>-`: so revisions are told apart without any
relabelling. Where it is not the pod that is scraped but somebody who passes its metrics on,
and labels are not honoured, the two are `exported_namespace` and `exported_pod`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rollouts.model.app_metrics import AppMetrics
from rollouts.model.counter_metric import (
    CounterSeries,
    SeriesMeaning,
    any_of,
    bound_of,
    label,
    native_name,
    quoted,
    selector,
)
from rollouts.model.rollout_key import Key
from rollouts.model.status import Revision

_LONGEST_BASE = 58
"""Kubernetes cuts `generateName` there, to have room for five characters (apiserver, names/generate.go)."""


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of one revision."""

    revision: int
    prefix: str
    """What their names begin with."""

    @property
    def pattern(self) -> str:
        """Return the regular expression of their names."""
        return f"{self.prefix.replace('.', '[.]')}.+"


@dataclass(frozen=True, slots=True)
class AppMetric:
    """One metric of the app: `called` is what `AppMetrics` calls it, `name` what Prometheus does."""

    name: str
    namespace: str
    arms: tuple[Pods, ...]
    """The canary's pods, and stable's; or stable's alone."""
    code_label: str
    namespace_label: str
    pod_label: str
    exclude: tuple[tuple[str, tuple[str, ...]], ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def canary(self) -> Pods:
        return self.arms[0]

    @property
    def series(self) -> CounterSeries:
        """Return how both arms' series are asked for."""
        return CounterSeries(
            name=self.name,
            selectors=self._selectors(self.name),
            natives=self._selectors(native_name(self.name)),
            bounds=self.bounds,
            status_label=f"its label {self.code_label} (spec.appMetrics.codeLabel)",
            hint=f"see whether Prometheus still scrapes the pods of revision {self.canary.revision}",
            up_matchers=self._up_matchers(),
        )

    def _selectors(self, name: str) -> tuple[str, ...]:
        if not name:
            return ()
        excluded = [
            f"{label(name)}!~{quoted(any_of(values))}" for name, values in self.exclude if values
        ]
        return tuple(
            selector(name, self._up_matchers(prefix), *excluded) for prefix in ("", "exported_")
        )

    def _up_matchers(self, prefix: str = "") -> str:
        pods = "|".join(dict.fromkeys(arm.pattern for arm in self.arms))
        return (
            f"{label(prefix + self.namespace_label)}={quoted(self.namespace)},"
            f"{label(prefix + self.pod_label)}=~{quoted(pods)}"
        )

    def is_asked(self, labels: Mapping[str, str]) -> bool:
        """Return whether a series is of a pod of the two revisions, and not of what is excluded."""
        return (
            labels.get("__name__") == self.name
            and bool(self._pod(labels))
            and not any(labels.get(name, "") in values for name, values in self.exclude)
        )

    def meaning(self, labels: Mapping[str, str]) -> SeriesMeaning:
        """Return what a series says; each pod speaks of its own revision alone."""
        canary = self._pod(labels).startswith(self.canary.prefix)
        code = labels.get(self.code_label, "")
        return SeriesMeaning(
            canary=canary,
            failed=code.startswith("5"),
            has_status=code[:1].isdigit(),
            bound=bound_of(labels),
            shows_canary=canary,
            is_new_process=canary,
        )

    def process(self, labels: Mapping[str, str]) -> str:
        """Return the pod."""
        return f"pod {self._pod(labels)}"

    def _pod(self, labels: Mapping[str, str]) -> str:
        for name in (f"exported_{self.pod_label}", self.pod_label):
            pod = labels.get(name, "")
            if pod.startswith(tuple(arm.prefix for arm in self.arms)):
                return pod
        return ""


def pods_of(rollout: str, revision: Revision) -> Pods:
    """Return what the names of a revision's pods have in common."""
    return Pods(revision.number, f"{rollout}-{revision.hash}-"[:_LONGEST_BASE])


def app_metric(name: str, key: Key, names: AppMetrics, *revisions: Revision) -> AppMetric:
    """Return the app's metric of this name in the pods of the canary, and in those of stable."""
    return AppMetric(
        name,
        key.namespace,
        tuple(pods_of(key.name, each) for each in revisions),
        code_label=names.code_label,
        namespace_label=names.namespace_label,
        pod_label=names.pod_label,
        exclude=tuple((label, tuple(values)) for label, values in sorted(names.exclude.items())),
    )
