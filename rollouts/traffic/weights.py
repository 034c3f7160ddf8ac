"""What weights add up to, and how they are written: as numbers, or as quantities of Kubernetes."""

import re
from fractions import Fraction

_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)(m|k|M|[eE]\d)?", re.ASCII)
_UNITS = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000), "M": Fraction(10**6)}


def number(weight: object) -> Fraction | None:
    """Return a weight that is a whole number or a quantity ("250m" is a quarter); None for others."""
    if isinstance(weight, bool):
        return None
    found = _QUANTITY.fullmatch(str(weight))
    if found is None:
        return None
    unit = found[2] or ""
    return Fraction(found[1]) * (
        Fraction(10 ** int(unit[1:])) if unit[:1] in "eE" and unit else _UNITS[unit]
    )


def percent(part: Fraction, total: Fraction) -> int | None:
    """Return a part as a whole percentage; None when it is none, or there is nothing to share."""
    if total <= 0:
        return None
    share = 100 * part / total
    return int(share) if share.denominator == 1 else None


def most_percent(part: Fraction, total: Fraction) -> int:
    """Return a part as a percentage, rounded up; 0 when there is nothing to share."""
    return -int(-100 * part // total) if total > 0 else 0
