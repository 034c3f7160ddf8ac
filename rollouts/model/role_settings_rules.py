"""What pods can't be given by the role of their revision, and how they can't be kept apart."""

import re
from collections.abc import Iterator

from rollouts.errors import FieldError
from rollouts.model.kinds import GROUP, STABLE, STABLE_LABEL
from rollouts.model.role_settings import PodMetadata
from rollouts.model.spec import RolloutSpec

_NAME = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
_PREFIX = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_KEY = re.compile(rf"({_PREFIX}/)?{_NAME}", re.ASCII)
_VALUE = re.compile(rf"{_NAME}?", re.ASCII)
_LONGEST_PREFIX = 253
_SHAPE = "letters, digits, -, _ and ., beginning and ending with a letter or digit"


_ALLOWED = {
    (f"spec.strategy.{strategy}.stableMetadata.labels", STABLE_LABEL, STABLE)
    for strategy in ("canary", "blueGreen")
}
"""What pods of stable have before any Service asks for it."""


def role_settings_errors(spec: RolloutSpec) -> Iterator[FieldError]:
    """Yield what is wrong with metadata by role and with antiAffinity, whatever the strategy."""
    way = f"spec.strategy.{'canary' if spec.strategy.canary is not None else 'blueGreen'}"
    for field, metadata in (
        ("canaryMetadata", spec.active_strategy.canary_metadata),
        ("stableMetadata", spec.active_strategy.stable_metadata),
    ):
        if metadata is not None:
            yield from _metadata(spec, metadata, f"{way}.{field}")
    anti_affinity = spec.active_strategy.anti_affinity
    if anti_affinity is None:
        return
    wishes = (
        anti_affinity.required_during_scheduling_ignored_during_execution,
        anti_affinity.preferred_during_scheduling_ignored_during_execution,
    )
    if (wishes[0] is None) == (wishes[1] is None):
        yield FieldError(
            f"{way}.antiAffinity",
            "set exactly one of requiredDuringSchedulingIgnoredDuringExecution and"
            " preferredDuringSchedulingIgnoredDuringExecution",
        )


def _metadata(spec: RolloutSpec, metadata: PodMetadata, where: str) -> Iterator[FieldError]:
    selector = spec.selector
    selected = {*selector.match_labels} if selector is not None else set()
    selected |= {each.key for each in selector.match_expressions} if selector is not None else set()
    for key, value in metadata.labels.items():
        if key in selected:
            why = "is a label of spec.selector: a pod without it would be nobody's; use another key"
            yield FieldError(f"{where}.labels.{key}", why)
        if not _VALUE.fullmatch(value):
            why = f"{value!r} is not a label's value: that has at most 63 {_SHAPE}"
            yield FieldError(f"{where}.labels.{key}", why)
    for part, keys in (("labels", metadata.labels), ("annotations", metadata.annotations)):
        for key, value in keys.items():
            if (f"{where}.{part}", key, value) in _ALLOWED:
                continue
            yield from _key(key, f"{where}.{part}.{key}")


def _key(key: str, where: str) -> Iterator[FieldError]:
    prefix, slash, _ = key.rpartition("/")
    if slash and (prefix == GROUP or prefix.endswith(f".{GROUP}")):
        yield FieldError(where, f"the controller sets the keys below {GROUP}/; use another prefix")
    elif not _KEY.fullmatch(key) or len(prefix) > _LONGEST_PREFIX:
        yield FieldError(
            where,
            f"is not a key: a key is an optional prefix (a DNS name) and /, then at most 63 {_SHAPE}",
        )
