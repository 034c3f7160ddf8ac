"""A Service's port, the end of every route."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """A Service's port, as an Ingress names it: by number or by name."""

    namespace: str
    service: str
    port: str

    def __str__(self) -> str:
        return f"{self.namespace}-{self.service}-{self.port}"
