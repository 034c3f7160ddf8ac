"""How a Rollout is called in queues, logs and notifications."""

from typing import NamedTuple

from rollouts.model.kinds import ROLLOUT, Ref


class Key(NamedTuple):
    """One Rollout."""

    namespace: str
    name: str

    @property
    def ref(self) -> Ref:
        return Ref(ROLLOUT, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
