"""What the autoscaling controllers share: all objects are looked at in rounds, since metrics tell no changes."""

from collections.abc import Awaitable, Callable, Iterable

import structlog

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.errors import ApiError

_log = structlog.get_logger(__name__)


async def look_at_each(
    found: Iterable[JSON], look: Callable[[JSON], Awaitable[None]], *, controller: str
) -> None:
    """Look at each object once; one that fails is logged, and disturbs no other."""
    for each in found:
        try:
            await look(each)
        except ApiError as error:
            _log.warning("refused", controller=controller, reason=error.message)
        except Exception as error:  # noqa: BLE001 -- one object never stops the others
            _log.error("reconcile failed", controller=controller, exc_info=error)
