"""The lines of a watch: what each change of the store means to one client, as bytes."""

from collections.abc import Iterable
from datetime import datetime

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.rendering import Form, partial, raw, row, table
from selfheal_sandbox.api.responses import encode
from selfheal_sandbox.api.selection import Selection
from selfheal_sandbox.kinds import conversion
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object
from selfheal_sandbox.store.store import Change, Entry

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Frames:
    """Writes the lines for one client; knows its selectors, its form, and whether it has seen column definitions."""

    def __init__(self, resource: Resource, chosen: Selection, form: Form) -> None:
        self._resource = resource
        self._chosen = chosen
        self._form = form
        self._columns_sent = False

    def initial(self, entries: Iterable[Entry], now: datetime) -> bytes:
        """Return an ADDED line for each object that the client's selectors choose."""
        chosen = (entry for entry in entries if self._chosen.matches(entry.obj))
        return b"".join(self._line(b"ADDED", entry, now) for entry in chosen)

    def change(self, change: Change, now: datetime) -> bytes:
        """Return the line for one change; b"" when the client does not see it.

        An object that begins to match the selectors is ADDED to the client, one that ceases to match is DELETED.
        """
        new_matches = self._chosen.matches(change.new.obj)
        if change.old is None:
            return self._line(b"ADDED", change.new, now) if new_matches else b""
        old_matches = self._chosen.matches(change.old.obj)
        if change.type == "DELETED":
            return self._line(b"DELETED", change.new, now) if old_matches else b""
        if new_matches:
            return self._line(b"MODIFIED" if old_matches else b"ADDED", change.new, now)
        return self._line(b"DELETED", _at_revision(change.old, change.revision), now) if old_matches else b""

    def bookmark(self, revision: int, *, ends_initial: bool = False) -> bytes:
        """Return a line that only tells how far the client has seen."""
        annotations = {"annotations": {INITIAL_EVENTS_END: "true"}} if ends_initial else {}
        metadata = {"resourceVersion": str(revision), "creationTimestamp": None, **annotations}
        obj: Object = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.group_version,
            "metadata": metadata,
        }
        if self._form.shape == "table":
            rows = [{"cells": [], "object": obj}]
            obj = table(self._resource, {"resourceVersion": str(revision)}, rows, with_columns=not self._columns_sent)
            self._columns_sent = True
        elif self._form.shape == "metadata":
            obj = partial(obj)
        return encode({"type": "BOOKMARK", "object": obj}) + b"\n"

    def _line(self, change_type: bytes, entry: Entry, now: datetime) -> bytes:
        return b'{"type":"%s","object":%s}\n' % (change_type, self._object(entry, now))

    def _object(self, entry: Entry, now: datetime) -> bytes:
        if self._form.shape == "object":
            return raw(self._resource, entry)
        served = conversion.from_storage(self._resource, entry.obj)
        if self._form.shape == "metadata":
            return encode(partial(served))
        metadata = {"resourceVersion": str(entry.revision)}
        rows = [row(self._resource, served, self._form, now)]
        body = encode(table(self._resource, metadata, rows, with_columns=not self._columns_sent))
        self._columns_sent = True
        return body


def error_line(error: ApiError) -> bytes:
    """Return the line that ends a watch with an error."""
    return encode({"type": "ERROR", "object": error.status()}) + b"\n"


def _at_revision(entry: Entry, revision: int) -> Entry:
    """Return an old state under the revision of the change that took it out of the client's sight."""
    metadata = {**entry.obj["metadata"], "resourceVersion": str(revision)}
    return Entry({**entry.obj, "metadata": metadata}, revision)
