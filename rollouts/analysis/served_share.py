"""Whether a weight is served: does about the share of the requests reach the canary that the routes give it?"""

from rollouts.analysis.exposed_canary import ExposedCanary
from rollouts.analysis.exposure_counters import ExposureCounters

ENOUGH_REQUESTS = 30
"""Of so many that should have reached it, fewer than half come by chance once in a thousand times."""


def why_not_served(requests: ExposureCounters, exposed: ExposedCanary) -> str:
    """
    Return, in words, that far fewer requests reach the canary than its weight says, or nothing.

    Some data planes deal requests in turn, and begin anew whenever anything changes: a small
    weight then may never have its turn. Others keep users where they were. It is no error: the
    canary is judged by what reaches it.
    """
    weight = exposed.weight_percent
    if not weight or weight >= 100 or requests.served_percent is None:
        return ""
    counted = requests.windows.now
    canary, stable = (counted.arm(canary=arm).requests for arm in (True, False))
    expected = (canary + stable) * weight / 100
    if expected < ENOUGH_REQUESTS or canary >= expected / 2:
        return ""
    return (
        f"{canary} of {canary + stable} requests at this weight reached the canary, where {weight}% are"
        f" about {expected:.0f}: see whether the data plane serves the weight"
    )
