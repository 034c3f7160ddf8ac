"""What kinds of object there are, and what the server knows of each."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rollouts.model.kinds import JSON, Kind
from rollouts.sandbox.apiserver.errors import no_such_path

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
    """One served version of a custom resource."""

    schema: JSON
    columns: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """
    One kind, as it is served under one version.

    `extra` are subresources besides status and scale. `storage` names the kind under which objects are kept: versions of one kind share it.
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

    @property
    def patchable_strategically(self) -> bool:
        return self.custom is None

    @property
    def subresources(self) -> tuple[str, ...]:
        found = ("status",) if self.status else ()
        return found + (("scale",) if self.scale else ()) + self.extra


class Registry:
    """The kinds that are served now. Built-in ones stay; custom ones come and go."""

    def __init__(self, builtin: tuple[Resource, ...]) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        for resource in builtin:
            self.install(resource)

    def install(self, resource: Resource) -> None:
        kind = resource.kind
        self._by_path[kind.group, kind.version, kind.plural] = resource

    def uninstall(self, group: str, plural: str) -> None:
        """Stop serving a kind in every version."""
        for key in [key for key in self._by_path if (key[0], key[2]) == (group, plural)]:
            del self._by_path[key]

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
        """Return every served (group, version) once, the core group first."""
        pairs = dict.fromkeys((key[0], key[1]) for key in self._by_path)
        return sorted(pairs, key=lambda pair: (pair[0] != "", pair[0], pair[1]))
