"""
Fields that we have to write, and that somebody else owns by server-side apply.

Such a tool puts its own value back when it next synchronises. That is so for a Service's
selector, an atomic map: our key in it goes; for the rules of a route, an atomic list; and for
the replicas of a Deployment that was adopted. A tool that applies by patches from the last
applied manifest leaves our key alone, and is not named in `metadata.managedFields` as one
that applies.

A tool that has applied a selector with our key in it has been told to leave it alone: no
other value can have been applied, or it would not own the field.

Facts, from the tools' documentation: Argo CD's `ignoreDifferences` is heeded at a sync only
with `RespectIgnoreDifferences=true`; Flux' `ssa: Merge` does not help with atomic fields,
`IfNotPresent` does, and so do the `ignore` rules of a Kustomization where Flux has them.
"""

from collections.abc import Iterator

from rollouts.controller.preflight.context import PreflightContext, is_bound, listed, name_of
from rollouts.controller.services import is_by_label
from rollouts.model.finding import Finding
from rollouts.model.kinds import (
    DEPLOYMENT,
    FIELD_MANAGER,
    SERVICE,
    STABLE,
    STABLE_LABEL,
    FrozenJSON,
    Kind,
)
from rollouts.model.unchecked_json import items, mapping
from rollouts.traffic import routers

_FLUX_ANNOTATION = "kustomize.toolkit.fluxcd.io/ssa"
_LEFT_ALONE = ("ifnotpresent", "ignore")
_IN_ROUTES = {each.kind: each.users_fields for each in routers.kinds()}
"""What routers write to the user's own objects, by their kind."""


def owner_findings(context: PreflightContext) -> Iterator[Finding]:
    """Yield the fields of other people's objects that we write and a tool would put back."""
    for kind, obj, field in _written(context):
        owners = appliers(obj, field)
        if owners and not _is_left_alone(obj):
            ways = dict.fromkeys(_way_out(owner, kind, field) for owner in owners)
            yield Finding(
                "warning",
                "AppliedByTool",
                (
                    f"{field} of {kind} {name_of(obj)} is owned by {listed(owners)} (server-side apply), which"
                    f" puts it back at its next sync; {'; '.join(ways)}{_unwritten(context, kind, obj)}"
                ),
            )


def _written(context: PreflightContext) -> Iterator[tuple[Kind, FrozenJSON, str]]:
    """Yield the objects that somebody else made and we write to, and which field of each."""
    for service, _ in context.services():
        if not (is_bound(service) or is_by_label(service, context.spec)):
            yield SERVICE, service, "spec.selector"
    for kind, name in (each for router in context.spec.routers for each in router.named()):
        route = context.get(kind, name)
        if route is not None:
            yield from ((kind, route, field) for field in _IN_ROUTES[kind])
    reference = context.spec.workload_ref
    if reference is not None and reference.scale_down != "never":
        deployment = context.get(DEPLOYMENT, reference.name)
        if deployment is not None and mapping(deployment.get("spec")).get("replicas") != 0:
            yield DEPLOYMENT, deployment, "spec.replicas"


def _is_left_alone(obj: FrozenJSON) -> bool:
    """Return whether an annotation has Flux create the object, and not change it afterwards."""
    annotations = mapping(obj["metadata"].get("annotations"))
    return str(annotations.get(_FLUX_ANNOTATION, "")).lower() in _LEFT_ALONE


def _unwritten(context: PreflightContext, kind: Kind, obj: FrozenJSON) -> str:
    """Return the way in which a Service needs no write at all."""
    if kind != SERVICE or name_of(obj) != context.spec.stable_service or context.spec.workload_ref:
        return ""
    return (
        f'; or give it {STABLE_LABEL}: "{STABLE}" in spec.selector, by which the controller leads it without a'
        " write to it (first in stableMetadata.labels, until the pods have it)"
    )


def _way_out(owner: str, kind: Kind, field: str) -> str:
    pointer = "/" + field.replace(".", "/")
    if owner.startswith("argocd"):
        return (
            f"in the Application, add {pointer} of this {kind} to ignoreDifferences and set the sync option"
            " RespectIgnoreDifferences=true"
        )
    if owner == "kustomize-controller":
        merge = " (Merge does not help: the field is atomic)" if kind != DEPLOYMENT else ""
        return (
            f"in the Flux Kustomization, add {pointer} of this {kind} to spec.ignore, or annotate the {kind}"
            f" with {_FLUX_ANNOTATION}: IfNotPresent{merge}"
        )
    if owner == "helm-controller":
        return f"in the HelmRelease, add {pointer} of this {kind} to spec.driftDetection.ignore"
    if owner == "kubectl" and kind == SERVICE:
        return "apply it without --server-side, which leaves the controller's key in it alone"
    return f"tell {owner} to ignore that field"


def appliers(obj: FrozenJSON, field: str) -> list[str]:
    """Return who owns `field`, such as spec.selector, by server-side apply, besides us; sorted."""
    entries = items(obj["metadata"].get("managedFields"))
    return sorted(
        {
            str(entry.get("manager"))
            for entry in entries
            if entry.get("operation") == "Apply"
            and entry.get("manager") != FIELD_MANAGER
            and not entry.get("subresource")
            and _owns(entry.get("fieldsV1"), field)
        }
    )


def _owns(fields: object, path: str) -> bool:
    """Return whether a set of fields in the form FieldsV1 has `path` in it."""
    for name in path.split("."):
        if not isinstance(fields, dict) or f"f:{name}" not in fields:
            return False
        fields = fields[f"f:{name}"]
    return True
