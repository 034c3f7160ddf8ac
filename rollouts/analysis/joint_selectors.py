"""
Selectors of the same form, made one by alternation, and the series cut apart again; pure.

Two have the same form when they ask for the same metric by the same labels. One that is made of
several may select more than these do together (each namespace with each name), and what nobody has
asked for is dropped: each selector says itself which of the series are its own.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from rollouts.model.counter_metric import label, quoted, selector

_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?\{(.*)\}", re.DOTALL)
_TEXT = r'"((?:[^"\\]|\\.)*)"'
_MATCHER = re.compile(rf"(?:{_TEXT}|([a-zA-Z_]\w*))(?:(=~|!~|!=|=){_TEXT})?(?:,|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_REMEMBERED = 20_000
"""So many selectors are remembered by their parts: the same are asked look by look."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a label has to be."""

    label: str
    how: str
    value: str

    @property
    def is_positive(self) -> bool:
        """Whether it names what is wanted, so that several can be alternatives."""
        return self.how in ("=", "=~")

    @property
    def pattern(self) -> str:
        """Return the regular expression of what it names, or leaves out."""
        return self.value if self.how in ("=~", "!~") else re.escape(self.value)


@dataclass(frozen=True)
class Selector:
    """A selector of ours, by its parts."""

    text: str
    metric: str
    matchers: tuple[Matcher, ...]

    @staticmethod
    @lru_cache(maxsize=_REMEMBERED)
    def parse(text: str) -> "Selector | None":
        """Return the parts of a selector; None where it is not of the form that we make them in."""
        whole = _SELECTOR.fullmatch(text)
        if whole is None:
            return None
        metric, rest = whole[1] or "", whole[2]
        found: list[Matcher] = []
        at = 0
        while at < len(rest):
            each = _MATCHER.match(rest, at)
            if each is None or each.end() == at:
                return None
            name = _plain(each[1]) if each[1] is not None else each[2]
            if each[3] is None:  # the metric itself, quoted
                if metric or each[1] is None:
                    return None
                metric = name
            else:
                found.append(Matcher(name, each[3], _plain(each[4])))
            at = each.end()
        known = {each.label for each in found}
        return Selector(text, metric, tuple(found)) if metric and len(known) == len(found) else None

    @cached_property
    def form(self) -> Hashable:
        """What it has in common with those that it can be made one with."""
        return self.metric, tuple(
            each.label if each.is_positive else each for each in self.matchers
        )

    @cached_property
    def _patterns(self) -> tuple[tuple[Matcher, re.Pattern[str]], ...]:
        return tuple((each, re.compile(each.pattern, re.DOTALL)) for each in self.matchers)

    def selects(self, values: Sequence[str]) -> bool:
        """Return whether a series of the metric is its own, by the values of the matchers' labels."""
        return all(
            value == each.value
            if each.how == "="
            else (pattern.fullmatch(value) is not None) == each.is_positive
            for (each, pattern), value in zip(self._patterns, values, strict=True)
        )


def joined_selector(selectors: Sequence[Selector]) -> str:
    """Return the selector of all that these, which have one form, select; perhaps of more."""
    if len(selectors) == 1:
        return selectors[0].text
    matchers = []
    for alike in zip(*(each.matchers for each in selectors), strict=True):
        first = alike[0]
        if all(each == first for each in alike):
            matchers.append(f"{label(first.label)}{first.how}{quoted(first.value)}")
        else:
            pattern = "|".join(_alternatives(each.pattern for each in alike))
            matchers.append(f"{label(first.label)}=~{quoted(pattern)}")
    return selector(selectors[0].metric, *matchers)


def _alternatives(patterns: Iterable[str]) -> Iterable[str]:
    """Return each once; that nothing is as good, which ours say first, is said once as well."""
    found = dict.fromkeys(patterns)
    if any(each.startswith("|") for each in found):
        return dict.fromkeys(("", *(each.removeprefix("|") for each in found)))
    return found


@dataclass
class SeriesOwners:
    """Whose a series is, of selectors of one form."""

    selectors: Sequence[Selector]
    _by_values: dict[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict)
    _by_key: dict[tuple[str, ...], list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._labels = [each.label for each in self.selectors[0].matchers]
        self._exact = [
            at
            for at in range(len(self._labels))
            if all(each.matchers[at].how == "=" for each in self.selectors)
        ]
        for number, each in enumerate(self.selectors):
            key = tuple(each.matchers[at].value for at in self._exact)
            self._by_key.setdefault(key, []).append(number)

    def of(self, labels: Mapping[str, str]) -> tuple[int, ...]:
        """Return the numbers of the selectors that select it."""
        values = tuple([labels.get(each, "") for each in self._labels])
        known = self._by_values.get(values)
        if known is None:
            candidates = self._by_key.get(tuple([values[at] for at in self._exact]), [])
            known = tuple(each for each in candidates if self.selectors[each].selects(values))
            self._by_values[values] = known
        return known


def _plain(text: str) -> str:
    """Return what a PromQL string of ours says."""
    return _ESCAPED.sub(lambda each: "\n" if each[1] == "n" else each[1], text)
