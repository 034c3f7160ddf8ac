"""Tables: what `kubectl get` prints."""

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.requests import Call


class Tabulator:
    """Turns the objects that a call answers with into a Table."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def listing(self, listed: JSON) -> JSON:
        return listed

    def event(self, obj: JSON) -> JSON:
        return obj

    def bookmark(self, meta: JSON) -> JSON:
        return {"metadata": meta}
