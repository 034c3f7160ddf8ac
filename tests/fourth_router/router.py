"""The made-up router: a Crossing says which Service it leads to, and what part goes to another one."""

from collections.abc import Iterator

from rollouts.model.finding import Finding
from rollouts.model.kinds import JSON, FrozenJSON, Ref
from rollouts.model.route import Change, Route, RoutingWrite, Split
from rollouts.traffic.ownership import is_going, namespace_of
from rollouts.traffic.router import Router, RoutingKind
from rollouts.traffic.scene import Scene
from tests.fourth_router.spec import CROSSING, FerryRouting


class Ferry(Router):
    """Crossings, which are the user's: their `canary` is ours."""

    spec = FerryRouting
    kinds = (RoutingKind(CROSSING, ("v1",)),)

    def observe(self, scene: Scene, wanted: Split) -> Route:
        """Return what the Crossings say; one without a canary says 0."""
        percents = {_percent(scene, each) for each in _named(scene).values()} or {0}
        return Route(
            exists=bool(self.clear(scene)),
            weight=percents.pop() if len(percents) == 1 else None,
            highest=max((_percent(scene, each) for each in scene.of(CROSSING).values()), default=0),
            shaped=not wanted.headers and not wanted.mirrors,
            findings=tuple(_findings(scene)),
        )

    def render(self, scene: Scene, split: Split) -> list[RoutingWrite]:
        """Return the writes after which the Crossings that are named say the split, and others nothing."""
        canary = {"service": scene.spec.canary_service, "percent": split.percent}
        named, ours = _named(scene), scene.of(CROSSING).items()
        written = [_written(scene, name, canary) for name in named]
        return [
            *written,
            *(
                _written(scene, n, None)
                for n, each in ours
                if n not in named and _is_ours(each, scene)
            ),
        ]

    def clear(self, scene: Scene) -> list[RoutingWrite]:
        """Return the writes that take our canary out of every Crossing, named or not."""
        crossings = scene.of(CROSSING).items()
        return [_written(scene, name, None) for name, each in crossings if _is_ours(each, scene)]


def _named(scene: Scene) -> dict[str, JSON]:
    names, found = scene.spec.users_objects(CROSSING), scene.of(CROSSING)
    return {name: found[name] for name in names if name in found and not is_going(found[name])}


def _findings(scene: Scene) -> Iterator[Finding]:
    for index, name in enumerate(scene.spec.users_objects(CROSSING)):
        if name not in _named(scene):
            yield Finding(
                "error",
                "CrossingNotFound",
                f"Crossing {name} does not exist; create it",
                f"spec.strategy.canary.trafficRouting.ferry.crossings[{index}]",
                absent=Ref(CROSSING, namespace_of(scene.rollout), name),
            )


def _is_ours(crossing: FrozenJSON, scene: Scene) -> bool:
    """Return whether this Rollout has written its canary."""
    canary = crossing["spec"].get("canary") or {}
    return bool(canary.get("by") == scene.rollout["metadata"]["name"])


def _percent(scene: Scene, crossing: FrozenJSON) -> int:
    return int(crossing["spec"]["canary"]["percent"]) if _is_ours(crossing, scene) else 0


def _written(scene: Scene, name: str, canary: JSON | None) -> Change:
    by = {"by": scene.rollout["metadata"]["name"]}
    body = {"spec": {"canary": {**canary, **by} if canary is not None else None}}
    return Change(Ref(CROSSING, namespace_of(scene.rollout), name), body)
