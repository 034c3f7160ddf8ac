"""Quantities of Kubernetes, such as 250m, 1 and 2Ki: numbers with a suffix. Pure."""

import math
import re

_FORM = re.compile(r"(?P<number>[+-]?\d+(\.\d*)?|[+-]?\.\d+)(?P<suffix>[numkMGTPE]|[KMGTPE]i|)")
_FACTORS = {
    **{suffix: 10.0 ** (3 * power) for power, suffix in enumerate(["n", "u", "m", ""], start=-3)},
    **{suffix: 10.0 ** (3 * power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)},
}


def number(quantity: object) -> float:
    """
    Return a quantity as a number.

    Raises:
        ValueError: it is none.
    """
    found = _FORM.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    return float(found["number"]) * _FACTORS[found["suffix"]]


def quantity(value: float) -> str:
    """Return a number as a quantity, in thousandths rounded up when it is not whole."""
    thousandths = math.ceil(round(value * 1000, 6))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"
