"""The corpus of Rollouts: huge, deep, and with numbers and names at their limits."""

from typing import Any

from rollouts.model.kinds import JSON
from tests.fakes.kubernetes import rollout

LARGE = 1_000_000
"""A text of so many characters is nearly all that etcd takes of an object."""
_STEPS: list[Any] = [{"setWeight": 5}]


def nested(levels: int, *, in_lists: bool = False) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value] if in_lists else {"a": value}
    return value


def _with(path: str, value: Any) -> JSON:
    """Return a good Rollout with one field of its spec set."""
    made = rollout(list(_STEPS))
    *parents, last = path.split(".")
    place = made["spec"]
    for name in parents:
        place = place[name]
    place[last] = value
    return made


def _criterion(**words: Any) -> JSON:
    return _with("successCriteria", [{"name": "c", **words}])


_MANY: dict[str, Any] = {f"field-{i}": i for i in range(1000)}
_LONG: dict[str, Any] = {"replicas" * 20_000: 1}

INVALID: dict[str, tuple[JSON, str]] = {
    "10,000 steps": (rollout(_STEPS * 10_000), "spec.strategy.canary.steps"),
    "20,000 wrong steps": (rollout([{"setWeight": 130}] * 20_000), "spec.strategy.canary.steps"),
    "1,000 unknown fields": (
        rollout(_STEPS, **_MANY),
        "spec.field-0",
    ),
    "1,000 criteria": (
        _with(
            "successCriteria",
            [{"name": f"c{i}", "errorRate": {"max": "1%"}} for i in range(1000)],
        ),
        "spec.successCriteria",
    ),
    "a field with a long name": (
        rollout(_STEPS, **_LONG),
        "spec.replicasreplicas",
    ),
    "a text for a boolean": (_with("paused", "x" * LARGE), "spec.paused"),
    "a long duration": (rollout([{"pause": {"duration": "1" * LARGE}}]), "pause.duration"),
    "a duration of many hours": (
        rollout([{"pause": {"duration": "1h" * LARGE}}]),
        "pause.duration",
    ),
    "a duration of a number too large": (rollout([{"pause": {"duration": 10**400}}]), "duration"),
    "a long percentage": (
        _criterion(errorRate={"max": "1" * LARGE + " " * LARGE}),
        "errorRate.max",
    ),
    "a long query": (_criterion(query={"promql": "{{ " * 300_000, "max": 1}), "query.promql"),
    "a long Service": (_with("strategy.canary.stableService", "a-" * LARGE), "stableService"),
    "a long selector": (_with("selector.matchLabels", {"app": "x" * LARGE}), "spec.selector"),
    "a template that is deep": (_with("template.spec.x", nested(100)), "spec.template"),
    "a template that is a chain of lists": (
        _with("template.spec.x", nested(300, in_lists=True)),
        "spec.template",
    ),
    "a boolean that is deep": (_with("paused", nested(300)), "spec.paused"),
    "more pods than there may be": (_with("replicas", 2**63), "spec.replicas"),
    "half a surrogate": (_with("paused", "\ud800"), "spec.paused"),
}
"""Each, with the field that is named first."""

VALID: dict[str, JSON] = {
    "100 steps": rollout(_STEPS * 100),
    "a template of 64 levels": _with("template.spec.x", nested(61)),
    "a query as long as it may be": _criterion(query={"promql": "x" * 8192, "max": 1e308}),
    "a Service as long as it may be": _with("strategy.canary.stableService", "s" * 56),
    "a year": rollout([{"pause": {"duration": "8760h"}}]),
    "a template of many containers": _with(
        "template.spec.containers", [{"name": f"c{i}", "image": "x"} for i in range(1000)]
    ),
    "numbers at every edge": _with(
        "template.spec.x", [2**63 - 1, -(2**63), 1e308, 5e-324, 10**400]
    ),
}
