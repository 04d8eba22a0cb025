"""Reads kubeconfig files as kubectl does: which ones, merged how, which context."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from selfheal_core.errors import BadUsage, did_you_mean

HOW_TO_CONTINUE = "name one with --kubeconfig, or try without a cluster: selfheal-tui --sandbox"


@dataclass(frozen=True, slots=True)
class Entry:
    """A named cluster, user or context, with the folder that its relative paths start from."""

    name: str
    values: Mapping[str, Any]
    folder: Path

    def text(self, key: str) -> str:
        """A string field; "" where it is missing."""
        value = self.values.get(key)
        return "" if value is None else str(value)

    def file(self, key: str) -> Path | None:
        """A path field, resolved; None where it is missing."""
        value = self.text(key)
        return self.folder / Path(value).expanduser() if value else None


@dataclass(frozen=True, slots=True)
class KubeConfig:
    """Several files merged; of entries with the same name the first one counts, as for kubectl."""

    files: tuple[Path, ...]
    current_context: str
    contexts: Mapping[str, Entry]
    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Selection:
    """One context with its cluster and its user."""

    files: tuple[Path, ...]
    context: str
    namespace: str
    cluster: Entry
    user: Entry


def files_to_read(explicit: Path | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Which files hold the configuration: the explicit one, ``KUBECONFIG``'s, or ``~/.kube/config``.

    Returns:
        Existing files; none if nothing was named and the default is not there.

    Raises:
        BadUsage: Files were named, but none of them exists.
    """
    if explicit is not None:
        return _existing((explicit.expanduser(),), f"kubeconfig {explicit}")
    named = environ.get("KUBECONFIG", "")
    if named:
        listed = tuple(Path(name).expanduser() for name in named.split(":") if name)
        return _existing(listed, f"KUBECONFIG={named}")
    home = environ.get("HOME", "")
    default = (Path(home) if home else Path.home()) / ".kube" / "config"
    return (default,) if default.is_file() else ()


def read(files: tuple[Path, ...]) -> KubeConfig:
    """Read and merge files.

    Raises:
        BadUsage: One can't be read, or is no kubeconfig.
    """
    documents = [(file, _document(file)) for file in files]
    current = next((str(found) for _, document in documents if (found := document.get("current-context"))), "")
    return KubeConfig(
        files,
        current,
        _merged(documents, "contexts", "context"),
        _merged(documents, "clusters", "cluster"),
        _merged(documents, "users", "user"),
    )


def select(config: KubeConfig, context: str | None) -> Selection:
    """Pick a context, by default the current one.

    Raises:
        BadUsage: There is no such context, or it names a cluster or user that is not there.
    """
    where = ", ".join(str(file) for file in config.files)
    name = context or config.current_context
    known = list(config.contexts)
    if not known:
        raise BadUsage(f"there are no contexts in {where}", HOW_TO_CONTINUE)
    if not name:
        raise BadUsage(f"no current context in {where}", f"choose one with --context ({did_you_mean('', known)})")
    if name not in config.contexts:
        raise BadUsage(f"no context '{name}' in {where}", did_you_mean(name, known))
    chosen = config.contexts[name]
    cluster = _named(config.clusters, chosen.text("cluster"), "cluster", name, where)
    user_name = chosen.text("user")
    user = _named(config.users, user_name, "user", name, where) if user_name else Entry("", {}, chosen.folder)
    return Selection(config.files, name, chosen.text("namespace") or "default", cluster, user)


def _existing(files: tuple[Path, ...], named: str) -> tuple[Path, ...]:
    found = tuple(file for file in files if file.is_file())
    if not found:
        raise BadUsage(f"{named}: no such file", HOW_TO_CONTINUE)
    return found


def _document(file: Path) -> Mapping[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Both loaders are the safe ones; the one in C is ten times faster.
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadUsage(f"can't read kubeconfig {file}: {reason}", HOW_TO_CONTINUE) from error
    except yaml.YAMLError as error:
        raise BadUsage(f"kubeconfig {file} is not YAML{_position(error)}", HOW_TO_CONTINUE) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadUsage(f"kubeconfig {file} is not a kubeconfig: it holds no fields", HOW_TO_CONTINUE)
    return document


def _position(error: yaml.YAMLError) -> str:
    # The mark's line only: YAML's own message quotes the file, tokens included.
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark is not None else ""


def _merged(documents: list[tuple[Path, Mapping[str, Any]]], plural: str, singular: str) -> dict[str, Entry]:
    merged: dict[str, Entry] = {}
    for file, document in documents:
        entries = document.get(plural) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and "name" in entry for entry in entries):
            raise BadUsage(f"kubeconfig {file}: '{plural}' is not a list of named entries", HOW_TO_CONTINUE)
        for entry in entries:
            values = entry.get(singular)
            name = str(entry["name"])
            merged.setdefault(name, Entry(name, values if isinstance(values, dict) else {}, file.absolute().parent))
    return merged


def _named(entries: Mapping[str, Entry], name: str, what: str, context: str, where: str) -> Entry:
    if name not in entries:
        raise BadUsage(f"context '{context}' names the {what} '{name}', which is not in {where}")
    return entries[name]
