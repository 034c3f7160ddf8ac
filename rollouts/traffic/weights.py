"""What weights add up to, and how they are written: as numbers, or as quantities of Kubernetes."""

from fractions import Fraction

from rollouts.model.quantities import parse_quantity


def number(weight: object) -> Fraction | None:
    """Return a weight that is a whole number or a quantity ("250m" is a quarter); None for others."""
    found = parse_quantity(weight)
    return found if found is not None and found >= 0 else None


def percent(part: Fraction, total: Fraction) -> int | None:
    """Return a part as a whole percentage; None when it is none, or there is nothing to share."""
    if total <= 0:
        return None
    share = 100 * part / total
    return int(share) if share.denominator == 1 else None


def most_percent(part: Fraction, total: Fraction) -> int:
    """Return a part as a percentage, rounded up; 0 when there is nothing to share."""
    return -int(-100 * part // total) if total > 0 else 0
