"""What differs between two Helm manifests: a sentence for the preview, and the full text for who wants it. Pure."""

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from selfheal_core.domain.escape import printable

NAMED_CHANGES = 3
"""So many changes are named in the sentence; the rest is counted."""
DIFF_LIMIT_LINES = 2_000
VERSION_LABELS = frozenset({"app.kubernetes.io/version", "helm.sh/chart", "selfheal.internal/revision"})
"""They differ between any two revisions, so they are left out of the sentence."""
_SECRET_FIELDS = ("data", "stringData")


class ObjectKey(NamedTuple):
    """Identity of an object in a manifest."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Objects = Mapping[ObjectKey, dict[str, Any]]


def parse_manifest(text: str) -> dict[ObjectKey, dict[str, Any]]:
    """Read a manifest; values of Secrets are replaced by their fingerprints, so that a change shows but no value does.

    Raises:
        ValueError: It is not YAML.
    """
    try:
        documents = [document for document in yaml.load_all(text, _LOADER) if isinstance(document, dict)]
    except yaml.YAMLError as error:
        raise ValueError(f"the manifest is not YAML: {error}") from error
    return {_key(document): _masked(document) for document in documents}


def summary(before: Objects, after: Objects) -> str:
    """Say what going from one manifest to the other changes: ``Deployment app-a: image, env DB_URL (+1)``."""
    changed = {key: _fields(before[key], after[key]) for key in before if key in after and before[key] != after[key]}
    parts = [f"{key}: {fields}" for key, fields in changed.items() if fields]
    parts += [f"{key} comes back" for key in after if key not in before]
    parts += [f"{key} goes" for key in before if key not in after]
    if not parts:
        return "only version labels" if changed else "nothing: both revisions have the same manifest"
    more = f" (+{len(parts) - NAMED_CHANGES})" if len(parts) > NAMED_CHANGES else ""
    return printable("; ".join(parts[:NAMED_CHANGES]), limit=300) + more


def image_in(objects: Objects) -> str:
    """Image of the first container of the first workload; "" if there is none."""
    for document in objects.values():
        spec = document.get("spec")
        template = spec.get("template") if isinstance(spec, dict) else None
        pod = template.get("spec") if isinstance(template, dict) else None
        containers = pod.get("containers") if isinstance(pod, dict) else None
        if isinstance(containers, list) and containers and isinstance(containers[0], dict):
            return printable(str(containers[0].get("image", "")), limit=120)
    return ""


def unified(before: Objects, after: Objects, before_name: str, after_name: str) -> str:
    """The full difference in unified format, bounded."""
    lines: list[str] = []
    for key in sorted({*before, *after}):
        old, new = _text(before.get(key)), _text(after.get(key))
        if old != new:
            names = (f"{before_name}/{key.kind}/{key.name}", f"{after_name}/{key.kind}/{key.name}")
            lines += difflib.unified_diff(old, new, *names, lineterm="")
    if len(lines) > DIFF_LIMIT_LINES:
        lines = [*lines[:DIFF_LIMIT_LINES], f"... {len(lines) - DIFF_LIMIT_LINES} more lines"]
    return "\n".join(printable(line) for line in lines)


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _key(document: Mapping[str, Any]) -> ObjectKey:
    metadata = document.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return ObjectKey(str(document.get("kind", "")), str(name))


def _masked(document: dict[str, Any]) -> dict[str, Any]:
    if document.get("kind") != "Secret":
        return document
    fields = {name: document[name] for name in _SECRET_FIELDS if isinstance(document.get(name), dict)}
    return {
        **document,
        **{name: {key: _fingerprint(value) for key, value in data.items()} for name, data in fields.items()},
    }


def _fingerprint(value: object) -> str:
    return f"<hidden {hashlib.sha256(str(value).encode()).hexdigest()[:8]}>"


def _text(document: dict[str, Any] | None) -> list[str]:
    return [] if document is None else yaml.safe_dump(document, sort_keys=True, width=120).splitlines()


def _fields(before: dict[str, Any], after: dict[str, Any]) -> str:
    names = [name for name in dict.fromkeys(_changed(before, after)) if name not in VERSION_LABELS]
    more = f" (+{len(names) - NAMED_CHANGES})" if len(names) > NAMED_CHANGES else ""
    return ", ".join(names[:NAMED_CHANGES]) + more


def _changed(before: object, after: object, name: str = "") -> Iterator[str]:
    """Names of the fields that differ, outermost first; entries of lists are known by their ``name``."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            if before.get(key) != after.get(key):
                yield from _changed(before.get(key), after.get(key), str(key))
    elif isinstance(before, list) and isinstance(after, list) and _named(before) and _named(after):
        yield from _changed_entries(before, after, name)
    else:
        yield name


def _changed_entries(before: list[Any], after: list[Any], name: str) -> Iterator[str]:
    old, new = ({entry["name"]: entry for entry in entries} for entries in (before, after))
    for key in (*old, *(key for key in new if key not in old)):
        if old.get(key) == new.get(key):
            continue
        if key in old and key in new and name == "containers":
            yield from _changed(old[key], new[key], name)
        else:
            yield f"{name} {key}"


def _named(entries: list[Any]) -> bool:
    return all(isinstance(entry, dict) and "name" in entry for entry in entries)
