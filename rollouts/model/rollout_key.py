"""How a Rollout is called in queues, logs and notifications."""

from typing import NamedTuple, Self

from rollouts.model.kinds import ROLLOUT, FrozenJSON, Ref


class Key(NamedTuple):
    """One Rollout."""

    namespace: str
    name: str

    @classmethod
    def of(cls, rollout: FrozenJSON) -> Self:
        return cls(rollout["metadata"]["namespace"], rollout["metadata"]["name"])

    @property
    def ref(self) -> Ref:
        return Ref(ROLLOUT, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
