"""The console's data as JSON: one document of everything, or one line per change.

Fields are those of the Snapshot in camelCase; moments (``..._at``, ``since``) are RFC 3339, with an age in seconds
beside the important ones. `document_schema` writes the JSON Schema from the same types by the same rules.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec

from selfheal_cli.changes import ApplicationChanged, ApplicationGone, Change, SourceChanged
from selfheal_cli.words import in_order
from selfheal_core.domain.escape import json_printable
from selfheal_core.domain.snapshot import Application, PodRow, Snapshot, Source
from selfheal_core.domain.times import rfc3339

FORMAT_VERSION = 1
"""Grows when a field goes or means something else; new fields may come without."""
NOT_CURRENT = ("stale", "lost", "forbidden")


def snapshot_document(snapshot: Snapshot, now: float) -> dict[str, Any]:
    """Everything known at one moment.

    Args:
        snapshot: What to write.
        now: Seconds since the epoch.
    """
    return {
        "type": "snapshot",
        "formatVersion": FORMAT_VERSION,
        "takenAt": rfc3339(snapshot.taken_at),
        "namespaces": list(snapshot.namespaces),
        "serverVersion": snapshot.server_version,
        "stale": sorted(name for name, source in snapshot.sources.items() if source.condition in NOT_CURRENT),
        "healerd": plain(snapshot.controller),
        "sources": {name: source_document(source, now) for name, source in snapshot.sources.items()},
        "applications": [application_document(app, now) for app in in_order(snapshot.applications.values())],
        "pods": [pod_document(pod, now) for pod in snapshot.pods.values()],
    }


def change_document(change: Change, now: float) -> dict[str, Any]:
    """One change."""
    at = rfc3339(now)
    match change:
        case ApplicationChanged(app):
            return {"type": "application", "at": at, "application": application_document(app, now)}
        case ApplicationGone(key):
            return {"type": "gone", "at": at, "namespace": key.namespace, "name": key.name}
        case SourceChanged(source):
            return {"type": "source", "at": at, "source": source_document(source, now)}


def application_document(app: Application, now: float) -> dict[str, Any]:
    """An application; its key is its name and namespace."""
    document: dict[str, Any] = {"name": app.key.name, "namespace": app.key.namespace, **plain(app)}
    del document["key"]
    return {**document, "sinceSeconds": _age(app.since, now)}


def pod_document(pod: PodRow, now: float) -> dict[str, Any]:
    """A pod."""
    return {**plain(pod), "ageSeconds": _age(pod.created_at, now)}


def source_document(source: Source, now: float) -> dict[str, Any]:
    """A stream of data, and how old what it gave is."""
    return {**plain(source), "ageSeconds": _age(source.fresh_at, now)}


def encode(document: Mapping[str, Any], *, indent: bool) -> str:
    """A document as text that a terminal can be shown: what is not plain ASCII is written as its number.

    Args:
        document: What to write.
        indent: On several lines; else on one.
    """
    encoded = msgspec.json.encode(document)
    return json_printable((msgspec.json.format(encoded) if indent else encoded).decode())


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else round(now - at, 1)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: fields in camelCase, moments as RFC 3339."""
    record = _fields(value)
    if record is not None:
        return {camel(name): _moment_or_plain(name, item) for name, item in record.items()}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _fields(value: Any) -> dict[str, Any] | None:
    """Fields of a record by name; None for anything else."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else None


def _moment_or_plain(name: str, value: Any) -> Any:
    return rfc3339(value) if isinstance(value, float) and is_moment(name) else plain(value)


def is_moment(name: str) -> bool:
    """Whether a field holds a moment, by its name."""
    return name.endswith("_at") or name == "since"


def camel(name: str) -> str:
    """``last_restart_at`` as ``lastRestartAt``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
