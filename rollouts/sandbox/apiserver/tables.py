"""Tables: what `kubectl get` prints."""

from datetime import datetime

from rollouts.model.kinds import JSON
from rollouts.sandbox.apiserver.columns import columns_of
from rollouts.sandbox.apiserver.requests import Call


class Tabulator:
    """Turns the objects that a call answers with into a Table, with ages as of `now`."""

    def __init__(self, call: Call) -> None:
        self._columns = columns_of(call.resource)
        self._kind = call.resource.kind
        self._include = call.asks("includeObject") or "Metadata"
        self._headed = False

    def of(self, body: JSON, now: datetime) -> JSON:
        """Return the Table of a list, or of one object."""
        if "items" in body:
            return self._table(body["metadata"], body["items"], now)
        return self._table({"resourceVersion": body["metadata"]["resourceVersion"]}, [body], now)

    def event(self, obj: JSON, now: datetime) -> JSON:
        """Return the Table of one watched object; only the first names the columns."""
        table = self.of(obj, now)
        if self._headed:
            table["columnDefinitions"] = None
        self._headed = True
        return table

    def bookmark(self, meta: JSON) -> JSON:
        """Return the Table of a bookmark, which has no row but the revision."""
        row = {"cells": [], "object": self._partial({"metadata": meta})}
        table = self._table({"resourceVersion": meta["resourceVersion"]}, [], None)
        return table | {"columnDefinitions": None, "rows": [row]}

    def _table(self, meta: JSON, objects: list[JSON], now: datetime | None) -> JSON:
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
            "columnDefinitions": [column.as_json() for column in self._columns],
            "rows": [self._row(obj, now) for obj in objects if now],
        }

    def _row(self, obj: JSON, now: datetime) -> JSON:
        whole = {"kind": self._kind.name, "apiVersion": self._kind.api_version} | obj
        row: JSON = {"cells": [column.cell(whole, now) for column in self._columns]}
        if self._include == "Object":
            row["object"] = whole
        elif self._include == "Metadata":
            row["object"] = self._partial(obj)
        return row

    def _partial(self, obj: JSON) -> JSON:
        head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return head | {"metadata": obj["metadata"]}
