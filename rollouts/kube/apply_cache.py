"""
Whether a server-side apply would change anything, told without asking.

It would not when the object has every field of the body with that value, and we own no field
that the body has dropped (as our `managedFields` entry says; where the API server keeps none,
a dropped field goes unnoticed). Nor would it when the same body was applied before and the
object has stayed as that left it: an API server may write a value in another way than the
body does, such as the quantity 1000m as 1.
"""

from collections import OrderedDict

from rollouts.kube.write_diff import gives_up_fields, has_all_fields
from rollouts.model.kinds import JSON, FrozenJSON, Ref

_REMEMBERED = 65_536


class ApplyCache:
    """Remembers what was applied, and what came of it."""

    def __init__(self) -> None:
        self._results: OrderedDict[Ref, tuple[FrozenJSON, JSON]] = OrderedDict()

    def is_noop(self, ref: Ref, body: FrozenJSON, cached: FrozenJSON, owned: FrozenJSON) -> bool:
        """Return whether applying `body` would leave `cached` as it is; `owned` are our `fieldsV1`."""
        if has_all_fields(cached, body) and not gives_up_fields(body, owned):
            return True
        before = self._results.get(ref)
        return before is not None and before == (body, _without_status(cached))

    def remember(self, ref: Ref, body: FrozenJSON, result: FrozenJSON) -> None:
        """Remember that applying `body` gave `result`."""
        if has_all_fields(result, body):
            self._results.pop(ref, None)
            return
        self._results[ref] = (body, _without_status(result))
        if len(self._results) > _REMEMBERED:
            self._results.popitem(last=False)


def _without_status(obj: FrozenJSON) -> JSON:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}
