"""
A pytest plugin, `-p tests.fourth_router.installed`: a line for the router in each of the two lists.

That is all that a new router adds to the program besides its own two files: a field of
`TrafficRouting`, and a place in `ROUTERS`. What is made from them is made when it is imported, so
this comes first, in a process of its own.
"""

import sys

from rollouts.model import traffic_routing
from tests.fourth_router.spec import FerryRouting


class TrafficRouting(traffic_routing.TrafficRouting):
    ferry: FerryRouting | None = None


def install() -> None:
    assert "rollouts.model.strategy" not in sys.modules, (
        "what is made from the lists is made already"
    )
    traffic_routing.TrafficRouting = TrafficRouting  # type: ignore[misc]
    from rollouts.traffic import routers  # noqa: PLC0415 - after the line above
    from tests.fourth_router.router import FerryRouter  # noqa: PLC0415

    routers.ROUTERS = (*routers.ROUTERS, FerryRouter())


install()
