"""How long ago something was, in the few characters that kubectl gives it. Pure."""


def short_age(seconds: float) -> str:
    """
    Return an age as kubectl rounds it (its HumanDuration): 90s, 5m30s, 3h, 4d2h.

    A moment that is yet to come is `<invalid>`, but for a second that clocks may be apart.
    """
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if seconds < 120:
        return f"{int(seconds)}s"
    if minutes < 10:
        return _two(minutes, "m", int(seconds % 60), "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365 if days < 365 * 8 else 0, "d")


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}" + (f"{small}{small_unit}" if small else "")
