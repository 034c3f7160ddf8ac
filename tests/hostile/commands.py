"""The corpus of command annotations: what an API server stores, and nobody in their right mind writes."""

import json

MOST_BYTES = 256 * 1024
"""All annotations of an object together: Kubernetes' `TotalAnnotationSizeLimitB`."""
_FULL = "x" * (MOST_BYTES - 100)


def _json(**words: object) -> str:
    return json.dumps({"id": "1", "verb": "abort", **words})


UNREADABLE = {
    "a list that is too deep": "[" * 200_000,
    "a map that is too deep": '{"verb":' * 30_000,
    "too deep beside a verb": '{"verb": "abort", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a number of 5000 digits": '{"id": "1", "verb": "promote", "step": ' + "9" * 5000 + "}",
    "no JSON at all": _FULL,
    "a byte order mark": "\ufeffabort",
    "a verb that is none": json.dumps({"id": "1", "verb": _FULL}),
    "a list of verbs": json.dumps({"id": "1", "verb": ["abort"]}),
}
"""These are refused, once, in words."""

CARRIED_OUT = {
    "an id as long as it may be": _json(id=_FULL),
    "a reason as long as it may be": _json(reason=_FULL),
    "a name as long as it may be": _json(by=_FULL),
    "an id that is half a surrogate": '{"id": "\\ud800", "verb": "abort"}',
    "a name that is half a surrogate": '{"id": "1", "verb": "abort", "by": "\\udfff"}',
    "the same without an id": '{"verb": "abort", "by": "\\udfff"}',
    "no characters": '{"id": "\\u0000", "verb": "abort", "reason": "\\u0000\\u001b[2J"}',
    "an id that is a list": _json(id=[1] * 10_000),
    "an id that is a number of 4000 digits": '{"verb": "abort", "id": ' + "9" * 4000 + "}",
    "an id that is no number": '{"verb": "abort", "id": NaN}',
    "a name that is a map": _json(by={"a": [{}]}),
    "a time that is a map": '{"verb": "abort", "at": {"x": [1]}}',
    "many words that nobody knows": _json(**{f"word-{i}": i for i in range(10_000)}),
}
"""Nothing is in the way of an abort, whatever else is said with it."""

ODD_ARGUMENTS = {
    "promote": (
        {"step": "9" * 4000},
        {"step": -1},
        {"step": 1e308},
        {"step": [1]},
        {"step": "²"},
        {"hold": [1, {}]},
        {"hold": _FULL},
    ),
    "rollback": ({"to": "9" * 5000}, {"to": -1}, {"to": "²"}, {"to": ["1"]}, {"to": _FULL}),
    "pause": ({"revision": "9" * 5000}, {"revision": float("inf")}, {"revision": {"a": 1}}),
}
"""Of these verbs each argument is refused, in words."""
