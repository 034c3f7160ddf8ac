"""
Where preflight looks: a Rollout, and the objects of its namespace.

Objects are read leniently: of those that come from a file nobody has checked the shape.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from rollouts.model.kinds import (
    DEPLOYMENT,
    GROUP,
    HASH_LABEL,
    JSON,
    ROLLOUT_LABEL,
    SERVICE,
    FrozenJSON,
    Kind,
    Ref,
)
from rollouts.model.role_settings import PodMetadata
from rollouts.model.spec import RolloutSpec
from rollouts.model.unchecked_json import items, mapping
from rollouts.ports import Reads
from rollouts.traffic import ownership


@dataclass(frozen=True, slots=True)
class PreflightContext:
    """One Rollout, and what is around it."""

    cluster: Reads
    rollout: FrozenJSON
    spec: RolloutSpec
    template: FrozenJSON
    """The pods' template: its own, or that of the Deployment that workloadRef names."""

    @classmethod
    def of(cls, cluster: Reads, rollout: FrozenJSON, spec: RolloutSpec) -> Self:
        """Return the context of a Rollout; its template is empty while its Deployment is not there."""
        template: FrozenJSON | None = spec.template
        if spec.workload_ref is not None:
            namespace = rollout["metadata"]["namespace"]
            deployment = cluster.get(Ref(DEPLOYMENT, namespace, spec.workload_ref.name))
            template = mapping(mapping(mapping(deployment).get("spec")).get("template"))
        return cls(cluster, rollout, spec, template or {})

    @property
    def name(self) -> str:
        return str(self.rollout["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.rollout["metadata"]["namespace"])

    @property
    def stable_field(self) -> str:
        """The field that names the Service that users' requests reach."""
        strategy = self.spec.active_strategy
        return f"{strategy.path}.{strategy.stable_service_field}"

    def field_of(self, service: FrozenJSON) -> str:
        """Return the field that names one of the Services that the Rollout releases."""
        if name_of(service) == self.spec.stable_service:
            return self.stable_field
        strategy = self.spec.active_strategy
        return f"{strategy.path}.{strategy.canary_service_field}"

    @property
    def template_field(self) -> str:
        """The field that the pods' template comes from."""
        return "spec.template" if self.spec.workload_ref is None else "spec.workloadRef"

    @property
    def bound(self) -> tuple[str, ...]:
        """The user's Services that this Rollout has bound to a revision, as its status says."""
        names = mapping(self.rollout.get("status")).get("services")
        return tuple(str(name) for name in names) if isinstance(names, list) else ()

    @property
    def labels(self) -> dict[str, str]:
        """The labels that all of its pods have, whichever revision they are of; none without a template."""
        labels = mapping(mapping(self.template.get("metadata")).get("labels"))
        ours = {ROLLOUT_LABEL: self.name} if labels else {}
        return {**{key: str(value) for key, value in labels.items()}, **ours}

    @property
    def containers(self) -> list[FrozenJSON]:
        """Its containers that stay, sidecars among the init containers included."""
        pod = mapping(self.template.get("spec"))
        sidecars = [
            each
            for each in items(pod.get("initContainers"))
            if each.get("restartPolicy") == "Always"
        ]
        return [*items(pod.get("containers")), *sidecars]

    def get(self, kind: Kind, name: str | None) -> FrozenJSON | None:
        """Return an object of the namespace that is there to stay, or None."""
        if not name:
            return None
        found = self.cluster.get(Ref(kind, self.namespace, name))
        return found if found is not None and not ownership.is_terminating(found) else None

    def all(self, kind: Kind) -> Iterator[JSON]:
        """Yield the namespace's objects that are there to stay, in any order."""
        found = self.cluster.select(kind, self.namespace)
        return (each for each in found if not ownership.is_terminating(each))

    def services(self) -> Iterator[tuple[FrozenJSON, dict[str, str]]]:
        """
        Yield the user's Services that it releases, and the labels of the pods they are to select.

        A canary Service that it made itself is as its stable Service is.
        """
        for name, metadata in (
            (self.spec.stable_service, self.spec.active_strategy.stable_metadata),
            (self.spec.canary_service, self.spec.active_strategy.canary_metadata),
        ):
            service = self.get(SERVICE, name)
            if service is not None and not ownership.is_ours(service, self.rollout):
                yield service, {**self.labels, **_added(metadata)}


def _added(metadata: PodMetadata | None) -> dict[str, str]:
    return dict(metadata.labels) if metadata is not None else {}


def name_of(obj: FrozenJSON) -> str:
    return str(obj["metadata"]["name"])


def users_selector(service: FrozenJSON) -> dict[str, str]:
    """Return a Service's selector without the keys that are ours."""
    selector = mapping(mapping(service.get("spec")).get("selector"))
    return {key: str(value) for key, value in selector.items() if not is_ours(key)}


def is_bound(service: FrozenJSON) -> bool:
    """Return whether the Service selects one revision only."""
    return HASH_LABEL in mapping(mapping(service.get("spec")).get("selector"))


def is_ours(key: str) -> bool:
    """Return whether a label's key is one that we set."""
    return key.startswith(f"{GROUP}/")


def listed(words: list[str]) -> str:
    """Return the words as a sentence has them: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
