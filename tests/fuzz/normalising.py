"""What two servers may answer differently, replaced by what they must answer alike.

Versions and uids become ordinals in the order in which a server told them, so that an object that keeps its version on
one server and gets a new one on the other is a difference. Times, addresses and page tokens only have to be there.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.calls import NAMESPACE

SHOWN_MESSAGES = frozenset({"NotFound", "AlreadyExists", "Conflict", "Expired", "TooManyRequests", "Forbidden"})
"""Reasons whose message users see as it is; other messages are told apart by reason and causes."""

_TIMES = frozenset({"creationTimestamp", "deletionTimestamp", "lastTransitionTime"})
_ADDRESSES = frozenset({"clusterIP", "clusterIPs"})
_STORE = "Key: /registry/"
"""Where a server has its objects in etcd, which it tells some and not in a dry run."""
_NUMBER = re.compile(r"\b\d+\b")
_NUMBER_OF_SERVER = re.compile(r"\(\d+\)")


@dataclass(slots=True)
class Ordinals:
    """Names for what one server gives out, by the order in which it did."""

    namespace: str
    versions: dict[str, str] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)

    def version(self, raw: str) -> str:
        """Return the name of a resource version."""
        return self.versions.setdefault(raw, f"version {len(self.versions) + 1}")

    def uid(self, raw: str) -> str:
        """Return the name of a uid."""
        return self.uids.setdefault(raw, f"uid {len(self.uids) + 1}")

    def normal(self, body: Any) -> Any:
        """Return what an answer must have in common with the other server's."""
        if isinstance(body, dict) and body.get("kind") == "Status":
            return self._status(body)
        if isinstance(body, dict) and isinstance(body.get("items"), list):
            return self._list(body)
        return self._value("", body)

    def _list(self, body: dict[str, Any]) -> Any:
        given = {name: value for name, value in body["metadata"].items() if value}
        metadata = {name: value if name == "remainingItemCount" else "given" for name, value in given.items()}
        return {**body, "metadata": metadata, "items": [self._value("", item) for item in body["items"]]}

    def _status(self, body: dict[str, Any]) -> Any:
        details = dict(body.get("details") or {})
        causes = details.pop("causes", None) or []
        if details.get("uid"):
            details["uid"] = self.uid(details["uid"])
        normal = {
            "status": body.get("status"),
            "reason": body.get("reason"),
            "code": body.get("code"),
            "details": details,
            "causes": sorted({f"{cause.get('field', '')}: {cause.get('reason', '')}" for cause in causes}),
        }
        if body.get("reason") in SHOWN_MESSAGES:
            normal["message"] = self._text(body.get("message", ""))
        return normal

    def _text(self, text: str) -> str:
        for raw, name in self.uids.items():
            text = text.replace(raw, f"<{name}>")
        text = text.replace(self.namespace, NAMESPACE).replace(_STORE, "Key: /")
        text = _NUMBER_OF_SERVER.sub("(number)", text)
        return _NUMBER.sub(lambda match: f"<{self.versions.get(match[0], match[0])}>", text)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._key(key): self._member(key, item) for key, item in sorted(value.items()) if item is not None}
        if isinstance(value, list):
            return [self._value(name, item) for item in value]
        return value.replace(self.namespace, NAMESPACE) if isinstance(value, str) else value

    def _key(self, key: str) -> str:
        """Return a field name; in managed fields it may hold a uid."""
        return self._text(key) if key.startswith("k:") else key

    def _member(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and value:
            if name == "resourceVersion":
                return self.version(value)
            if name == "uid":
                return self.uid(value)
            if name in _TIMES:
                return "a time"
        if name in _ADDRESSES and value not in ("None", ["None"], ""):
            return "given"
        if name == "disruptedPods" and isinstance(value, dict):
            return dict.fromkeys(value, "a time")
        if name == "managedFields" and isinstance(value, list):
            return sorted((self._entry(entry) for entry in value), key=_by_owner)  # times differ, and order them
        return self._value(name, value)

    def _entry(self, entry: dict[str, Any]) -> Any:
        normal = self._value("", entry)
        return {**normal, "time": "a time"} if "time" in normal else normal


def _by_owner(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(name, "")) for name in ("operation", "manager", "subresource", "apiVersion"))
