"""One call of the API, written down so that it means the same to two servers that give out different versions."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlencode

NAMESPACE = "NS"
"""Stands in paths for the namespace that a sequence is played in."""

_SHORT_TYPES = {
    "application/json": "",
    "application/json-patch+json": "--type=json",
    "application/merge-patch+json": "--type=merge",
    "application/strategic-merge-patch+json": "--type=strategic",
    "application/apply-patch+yaml": "--server-side",
}
_REFERENCE = re.compile(r"\$\{(\w+):([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        verb: what it does, in the words of an audit log; ``evict``, ``scale`` and ``status`` for subresources.
        kind: kind of the objects it is about.
        method: HTTP method.
        path: with `NAMESPACE` for the namespace.
        body: sent as JSON; None sends nothing. Texts may hold references, see `Memory.resolve`.
        content_type: of the body.
        query: parameters; their values may hold references.
    """

    verb: str
    kind: str
    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    query: tuple[tuple[str, str], ...] = ()

    def shown(self) -> str:
        """Return the call as one line, as one would type it."""
        query = "?" + urlencode(self.query, safe="${}:/,=!()") if self.query else ""
        parts = [f"{self.method} {self.path}{query}", _SHORT_TYPES[self.content_type]]
        if self.body is not None:
            parts.append(json.dumps(self.body, separators=(",", ":")))
        return " ".join(part for part in parts if part)


Calls: TypeAlias = tuple[Call, ...]


def version_of(kind: str, name: str, which: str) -> str:
    """Return a reference to the ``newest``, ``first`` or ``previous`` version that a server told of an object."""
    return f"${{version:{kind}/{name}/{which}}}"


def uid_of(kind: str, name: str) -> str:
    """Return a reference to the uid of an object."""
    return f"${{uid:{kind}/{name}}}"


def seen_version(age: int) -> str:
    """Return a reference to a version that a server told: 0 for the newest, 1 for the one before, and so on."""
    return f"${{seen:{age}}}"


CONTINUE = "${continue:last}"
"""A reference to the newest ``continue`` token that a server gave."""

ANCIENT_VERSION = "1"
"""A version that every server has forgotten."""

UNKNOWN_UID = "00000000-0000-4000-8000-000000000000"


@dataclass(slots=True)
class Memory:
    """What one server told during one sequence: the versions and uids that later calls refer to."""

    versions: dict[str, list[str]] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    token: str = ""

    def learn(self, body: Any) -> None:
        """Remember what an answer tells: an object, or a list of objects."""
        if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
            return
        if isinstance(body.get("items"), list):
            self.token = body["metadata"].get("continue", self.token)
            for item in body["items"]:
                self._learn_object(item, str(body.get("kind", "")).removesuffix("List"))
        elif body.get("kind") not in ("Status", "Scale"):
            self._learn_object(body, body.get("kind", ""))

    def _learn_object(self, obj: Mapping[str, Any], kind: str) -> None:
        metadata = obj["metadata"]
        key, version = f"{kind}/{metadata.get('name', '')}", metadata.get("resourceVersion")
        if metadata.get("uid"):
            self.uids[key] = metadata["uid"]
        if version:
            known = self.versions.setdefault(key, [])
            if version not in known:
                known.append(version)
            if version not in self.seen:
                self.seen.append(version)

    def resolve(self, value: Any) -> Any:
        """Return a copy of a body or of a text with every reference replaced by what this server told."""
        if isinstance(value, dict):
            return {name: self.resolve(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        return _REFERENCE.sub(self._referred, value) if isinstance(value, str) else value

    def _referred(self, match: re.Match[str]) -> str:
        what, rest = match[1], match[2]
        if what == "uid":
            return self.uids.get(rest, UNKNOWN_UID)
        if what == "continue":
            return self.token
        if what == "seen":
            return self.seen[-1 - int(rest)] if len(self.seen) > int(rest) else ANCIENT_VERSION
        key, _, which = rest.rpartition("/")
        known = self.versions.get(key) or [ANCIENT_VERSION]
        return {"newest": known[-1], "first": known[0], "previous": known[-2:][0]}[which]
