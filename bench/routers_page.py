"""
`docs/routers.md`, made from what was counted: no cell is typed.

    python -m bench.routers_page

Prints the page for the counts in `docs/routers.json`, which `make data-planes` writes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from bench.counts import Count, Seen
from bench.feature_trial import BETWEEN_CHANGES, LOW_PERCENT, WEIGHTS

COUNTS = Path(__file__).parents[1] / "docs" / "routers.json"
Row = tuple[str, Callable[[Seen], str]]

_BEFORE = """\
# What routers make of it

`make data-planes` has made this page: each data plane gets the same releases, by the objects that the controller writes for
it, and what clients and pods saw is counted. Every cell is such a count, and the counts are in
[routers.json](routers.json). The sandbox's nginx is ours, and behaves as ingress-nginx and as a Gateway do. Traefik reads the
same API server with its providers `kubernetesIngressNGINX` and `kubernetesGateway`, with their defaults.
"""
_AFTER = f"""
- **Split**: what the canary answered at a weight. nginx throws dice for each request. Traefik deals in turn, so that its split
  is exact, and not at random.
- **Another route**: one that leads to the stable Service too, and that the Rollout does not name. A canary Ingress belongs to
  the Service, and so to all Ingresses that lead there; the weights of a route are its own.
- **Few requests**: the same at {LOW_PERCENT} %, one request after the other. Then a route of somebody else, to another Service,
  changes after every {BETWEEN_CHANGES} of them. Traefik begins its round anew with each change of its configuration, whoever made it, and
  a pod that comes or goes anywhere is one. The canary's turn at {LOW_PERCENT} % comes late in the round, and so it may never come:
  take larger weights where there are few requests, or let testers in [by a header](header-and-mirror-routes.md).
- **Mirror**: a route that copies its requests to the canary, made by hand. Where it is confirmed and its own requests are not
  answered, a release would have taken the app down: [`Preflight` says `MirrorNotSupported`](header-and-mirror-routes.md#mirrors-that-a-gateway-does-not-know).
- **Lost**: refused, reset, timed out, or answered by anybody but the app, in a whole release that ended so.
- **Late**: how long after `status.weights.applied` had become 0 the canary still answered, when a route of somebody else had
  changed a moment before. Traefik confirms a route before it
  serves it, and takes up a change at most every 2 s (`providersThrottleDuration`): `scaleDownDelaySeconds` and
  `abortScaleDownDelaySeconds` have to be longer, as their defaults are.
"""


def page(seen: Sequence[Seen]) -> str:
    """Return the whole page."""
    rows = [
        ("", lambda each: each.name),
        ("---", lambda _: "---"),
        ("version", lambda each: each.version),
        ("header route: with the header", lambda each: _of(each.header)),
        ("header route: without it, at 0 %", lambda each: _of(each.no_header)),
        ("cookie", lambda each: _of(each.cookie)),
        ("mirror: copied to the canary", lambda each: _of(each.mirror_copies)),
        ("mirror: answered to the client", lambda each: _of(each.mirror_answers)),
        ("mirror: confirmed in the route's status", lambda each: _yes(each.mirror_confirmed)),
        *(_split(weight) for weight in seen[0].splits),
        (
            f"by another route to the Service, at {WEIGHTS[-1]} %",
            lambda each: _of(each.another_route),
        ),
        (f"few requests at {LOW_PERCENT} %", lambda each: _of(each.undisturbed)),
        ("the same, when others' routes change", lambda each: _of(each.reloaded)),
        *(_lost(ending) for ending in seen[0].endings),
        ("late after 0 %", lambda each: f"{each.late_seconds:.1f} s"),
    ]
    table = "\n".join(_line(row, seen) for row in rows)
    return f"{_BEFORE}\n{table}\n{_AFTER}"


def read() -> list[Seen]:
    """Return the counts that are kept."""
    return TypeAdapter(list[Seen]).validate_json(COUNTS.read_bytes())


def _line(row: Row, seen: Sequence[Seen]) -> str:
    title, cell = row
    return f"| {' | '.join([title, *(cell(each) for each in seen)])} |"


def _split(weight: str) -> Row:
    return f"split at {weight} %", lambda each: _of(each.splits[weight])


def _lost(ending: str) -> Row:
    return f"lost: {ending}", lambda each: _of(each.endings[ending])


def _of(count: Count) -> str:
    return f"{count.seen:,} of {count.of:,}"


def _yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"


if __name__ == "__main__":
    print(page(read()), end="")
