"""A small real collection: a few objects that a test puts, changes and removes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.history import History

FIRST_VERSION = 100


class Objects:
    """Objects of one collection by name, and what happened to them.

    Args:
        path: Of the collection; everything else is not served.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.by_name: dict[str, dict[str, Any]] = {}
        self.events = History(FIRST_VERSION)

    def history(self, path: str) -> History | None:
        """What to watch; None for a path that is not served."""
        return self.events if path == self.path else None

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> bytes | None:
        """A page of the list; None for anything else."""
        if path != self.path or method != "GET":
            return None
        names = sorted(self.by_name)
        start = int(query.get("continue", "0"))
        stop = start + int(query["limit"]) if "limit" in query else len(names)
        version = str(self.events.version)
        metadata = {"resourceVersion": version, **({"continue": str(stop)} if stop < len(names) else {})}
        items = [self.by_name[name] for name in names[start:stop]]
        return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}).encode()

    def all(self, path: str) -> Iterator[bytes]:
        """Every object as JSON."""
        for name in sorted(self.by_name):
            yield json.dumps(self.by_name[name]).encode()

    async def put(self, name: str, **fields: Any) -> dict[str, Any]:
        """Create or change an object; watchers hear of it."""
        known = name in self.by_name
        self.events.version += 1
        metadata = {
            "name": name,
            "namespace": "payments",
            "uid": f"uid-{name}",
            "resourceVersion": str(self.events.version),
        }
        self.by_name[name] = made = {"metadata": metadata, **fields}
        await self._tell("MODIFIED" if known else "ADDED", made)
        return made

    async def remove(self, name: str) -> None:
        """Delete an object; watchers hear of it."""
        self.events.version += 1
        gone = self.by_name.pop(name)
        last = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.events.version)}}
        await self._tell("DELETED", last)

    async def bookmark(self) -> None:
        """Send every watcher a bookmark."""
        mark = {"kind": "Pod", "metadata": {"resourceVersion": str(self.events.version)}}
        line = json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n"
        await self.events.tell(line, bookmark=True)

    async def _tell(self, kind: str, item: Mapping[str, Any]) -> None:
        await self.events.tell(json.dumps({"type": kind, "object": item}).encode() + b"\n")
