"""All the routers that a Rollout names, as one."""

from rollouts.model.kinds import INGRESS, Ref
from rollouts.model.route import Keep, Remove, Route, RoutingWrite, Split
from rollouts.traffic import nginx
from rollouts.traffic.scene import Scene


def observe(scene: Scene, wanted: Split) -> Route:
    """Return what the routing objects say now."""
    if scene.spec.routing is None or scene.spec.routing.nginx is None:
        return Route()
    return nginx.observe(scene.spec, scene.rollout, scene.of(INGRESS))


def render(scene: Scene, split: Split) -> list[RoutingWrite]:
    """Return the writes after which the routes say `split`."""
    if scene.spec.routing is None or scene.spec.routing.nginx is None:
        return []
    uid = scene.rollout["metadata"]["uid"]
    bodies = nginx.render(
        scene.spec, scene.rollout, scene.of(INGRESS), split.percent, cut_off=split.cut_off
    )
    found = scene.of(INGRESS)
    return [
        Keep(INGRESS, body)
        for body in bodies
        if body["metadata"]["name"] not in found
        or any(
            owner.get("uid") == uid
            for owner in found[body["metadata"]["name"]]["metadata"].get("ownerReferences") or ()
        )
    ]


def clear(scene: Scene) -> list[RoutingWrite]:
    """Return the writes that take the routing objects away."""
    namespace = scene.rollout["metadata"]["namespace"]
    found = scene.of(INGRESS)
    return [
        Remove(Ref(INGRESS, namespace, name), found[name]["metadata"]["uid"])
        for name in nginx.owned(scene.spec, scene.rollout, found)
    ]
