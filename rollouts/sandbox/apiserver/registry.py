"""What kinds of object there are, and what the server knows of each."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.errors import no_such_path

_VERSION = re.compile(r"v(?P<major>\d+)(?:(?P<stage>alpha|beta)(?P<minor>\d+))?")
OBJECT_VERBS = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps what /scale shows; an empty `selector` means it shows none."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """
    One served version of a custom resource, and the version in which its objects are kept.

    Objects that are read in one version and kept in another lose what this one's schema does
    not have.
    """

    schema: JSON
    columns: tuple[JSON, ...] = ()
    stored_api_version: str = ""
    stored_schema: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """
    One kind, as it is served under one version.

    `extra` are subresources besides status and scale. `storage` names the place where objects
    are kept: all versions of one kind share it.
    `generation` is true when a change of the spec counts up metadata.generation.
    `custom` is the served version's schema for a custom resource, None for a built-in kind.
    """

    kind: Kind
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    generation: bool = False
    scale: ScalePaths | None = None
    extra: tuple[str, ...] = ()
    storage: Kind = field(default=None)  # type: ignore[assignment]
    list_kind: str = ""
    custom: Version | None = None
    verbs: tuple[str, ...] = OBJECT_VERBS

    def __post_init__(self) -> None:
        object.__setattr__(self, "storage", self.storage or self.kind)
        object.__setattr__(self, "singular", self.singular or self.kind.name.lower())
        object.__setattr__(self, "list_kind", self.list_kind or f"{self.kind.name}List")

    def same(self, other: "Resource") -> bool:
        """Return whether nobody who is served sees a difference."""
        names = (each.name for each in fields(self))
        return all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def patchable_strategically(self) -> bool:
        return self.custom is None

    @property
    def subresources(self) -> tuple[str, ...]:
        found = ("status",) if self.status else ()
        return found + (("scale",) if self.scale else ()) + self.extra


def custom_place(group: str, plural: str) -> Kind:
    """Return the place of a custom kind's objects, whatever versions it has."""
    return Kind(group, "", plural, "")


class Registry:
    """The kinds that are served now. Built-in ones stay; custom ones come and go."""

    def __init__(self, builtin: tuple[Resource, ...]) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        for resource in builtin:
            self.install(resource)

    def install(self, resource: Resource) -> None:
        kind = resource.kind
        self._by_path[kind.group, kind.version, kind.plural] = resource

    def define(self, group: str, plural: str, versions: Sequence[Resource]) -> bool:
        """
        Serve a custom kind in exactly these versions, and return whether it was served before.

        A version that is as it was before stays the same resource.
        """
        before = {key: found for key, found in self._by_path.items() if key[::2] == (group, plural)}
        for key in before:
            del self._by_path[key]
        for resource in versions:
            old = before.get((group, resource.kind.version, plural))
            self.install(old if old is not None and old.same(resource) else resource)
        return bool(before)

    def serves(self, resource: Resource) -> bool:
        """Return whether a resource that was found once is still served, unchanged."""
        kind = resource.kind
        return self._by_path.get((kind.group, kind.version, kind.plural)) is resource

    def served(self, kind: Kind) -> Resource | None:
        """Return the resource of a kind at its version, None when that is not served."""
        return self._by_path.get((kind.group, kind.version, kind.plural))

    def place(self, kind: Kind) -> Kind:
        """Return where objects of a kind are kept, now or once it is served."""
        found = self.served(kind)
        return found.storage if found else custom_place(kind.group, kind.plural)

    def find(self, group: str, version: str, plural: str) -> Resource:
        """
        Return the resource at a path.

        Raises:
            ApiError: 404, nothing is served there.
        """
        resource = self._by_path.get((group, version, plural))
        if resource is None:
            raise no_such_path()
        return resource

    def of(self, kind: Kind) -> Resource:
        return self.find(kind.group, kind.version, kind.plural)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())

    def group_versions(self) -> list[tuple[str, str]]:
        """Return every served (group, version) once, the core group first, the best version first."""
        pairs = dict.fromkeys((key[0], key[1]) for key in self._by_path)
        return sorted(pairs, key=lambda pair: (pair[0] != "", pair[0], _precedence(pair[1])))


def _precedence(version: str) -> tuple[int, int, int, str]:
    """
    Return what versions of a group are sorted by: v2, v1, v1beta1, v1alpha2, and then others.

    Source: "Version priority" in the Kubernetes documentation of CRD versions.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        return 3, 0, 0, version
    stage = {None: 0, "beta": 1, "alpha": 2}[found["stage"]]
    return stage, -int(found["major"]), -int(found["minor"] or 0), version
