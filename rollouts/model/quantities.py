"""Quantities of Kubernetes, such as 250m, 1, 64Mi and 1e3: numbers with a suffix. Pure."""

import math
import re
from fractions import Fraction

_FORM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?", re.ASCII)
_FACTORS = {
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate("num", start=-3)},
    "": Fraction(1),
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_LONGEST = 64
"""How many characters a quantity has that is worked out: an exponent may be larger than any memory."""
_HIGHEST_EXPONENT = 30


def is_quantity(value: object) -> bool:
    """Return whether an API server takes a text, or a number, as a quantity."""
    return not isinstance(value, bool) and _FORM.fullmatch(str(value)) is not None


def parse_quantity(value: object) -> Fraction | None:
    """
    Return a quantity as a number: "250m" is a quarter; None for what is none.

    One with more than 64 characters, or more than 30 zeros, is none either: nobody has so much.
    """
    if isinstance(value, bool):
        return None
    text = str(value)
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    sign, digits, suffix = found[1], found[2], found[3] or ""
    if suffix in _FACTORS:
        factor = _FACTORS[suffix]
    elif abs(exponent := int(suffix[1:])) <= _HIGHEST_EXPONENT:
        factor = Fraction(10) ** exponent
    else:
        return None
    return (-1 if sign == "-" else 1) * Fraction(digits) * factor


def quantity_of(value: float) -> str:
    """Return a number as a quantity, in thousandths rounded up when it is not whole."""
    thousandths = math.ceil(round(value * 1000, 6))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"
