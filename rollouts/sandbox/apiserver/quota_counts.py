"""Keeps the counts of ResourceQuotas right, as objects come and go."""

from rollouts.model.kinds import FrozenJSON
from rollouts.sandbox.apiserver.builtins import RESOURCE_QUOTA
from rollouts.sandbox.apiserver.quotas import quotas_of
from rollouts.sandbox.apiserver.registry import Resource
from rollouts.sandbox.apiserver.writes import Writes


class QuotaCounts:
    """Told of every birth and death, it has the quotas of the namespace counted anew."""

    def __init__(self, store: Writes) -> None:
        self._store = store

    def born(self, resource: Resource, obj: FrozenJSON) -> None:
        self._recount(resource, obj)

    def dying(self, resource: Resource, obj: FrozenJSON) -> None:
        """Do nothing: what is still there counts."""

    def gone(self, resource: Resource, obj: FrozenJSON) -> None:
        self._recount(resource, obj)

    def _recount(self, resource: Resource, obj: FrozenJSON) -> None:
        if not resource.namespaced:
            return
        for quota in quotas_of(self._store, obj["metadata"]["namespace"]):
            self._store.replace(RESOURCE_QUOTA, quota, "status")  # admission counts
