"""
What a step is, in a few words that tell it from every other, as status and messages have it.

A label is short and ours alone: it depends on no library's serialisation, so that a later
version of this program knows the steps of an attempt again.
"""

import hashlib
import json
from typing import Any

from rollouts.model.durations import format_duration
from rollouts.model.header_and_mirror_routes import SetHeaderRoute, SetMirrorRoute, StringMatch
from rollouts.model.spec import RolloutSpec
from rollouts.model.strategy import Pause, SetCanaryScale, Step

PROMOTION = "promotion"
"""What comes after the last step."""
ENDED = "off"
"""In place of what a header or mirror route does, in the label of a step that ends it."""


def step_label(step: Step) -> str:
    """Return what a step is: `setWeight 25`."""
    if step.set_weight is not None:
        return f"setWeight {step.set_weight}"
    if step.pause is not None:
        return _pause(step.pause)
    if step.analysis is not None:
        return f"analysis {format_duration(step.analysis.duration) or '0s'}"
    if step.set_canary_scale is not None:
        return f"setCanaryScale {_scale(step.set_canary_scale)}"
    if step.set_header_route is not None:
        return _header_route(step.set_header_route)
    mirror = step.set_mirror_route
    return _mirror_route(mirror) if mirror is not None else ""


def step_labels(spec: RolloutSpec) -> list[str]:
    """Return what the steps of a spec are, in their order."""
    return [step_label(step) for step in spec.steps]


def entered_steps(spec: RolloutSpec, index: int) -> list[str]:
    """Return what an attempt has entered that is at step `index` of this spec."""
    return [*step_labels(spec), PROMOTION][: index + 1]


def _pause(pause: Pause) -> str:
    if pause.duration is None:
        return "pause"
    by_clock = "" if pause.wait_for_evidence else " by the clock"
    return f"pause {format_duration(pause.duration) or '0s'}{by_clock}"


def _scale(scale: SetCanaryScale) -> str:
    if scale.replicas is not None:
        return f"replicas {scale.replicas}"
    return f"weight {scale.weight}" if scale.weight is not None else "matchTrafficWeight"


def _header_route(route: SetHeaderRoute) -> str:
    what = [[each.header_name, _match(each.header_value)] for each in route.match]
    return f"setHeaderRoute {route.name} {_digest(what) if what else ENDED}"


def _mirror_route(route: SetMirrorRoute) -> str:
    if not route.match and not route.percentage:
        return f"setMirrorRoute {route.name} {ENDED}"
    matches = [
        [
            _match(each.method),
            _match(each.path),
            [[name, _match(value)] for name, value in sorted(each.headers.items())],
        ]
        for each in route.match
    ]
    percentage = 100 if route.percentage is None else route.percentage
    return f"setMirrorRoute {route.name} {_digest([percentage, matches])}"


def _match(match: StringMatch | None) -> list[str]:
    if match is None:
        return []
    parts = (("exact", match.exact), ("prefix", match.prefix), ("regex", match.regex))
    return [text for kind, value in parts if value is not None for text in (kind, value)]


def _digest(what: list[Any]) -> str:
    text = json.dumps(what, ensure_ascii=True, separators=(",", ":"))
    return f"#{hashlib.sha256(text.encode()).hexdigest()[:8]}"
