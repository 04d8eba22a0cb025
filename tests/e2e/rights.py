"""Which rights a program used, read from what an API server wrote down, and which ones a role grants."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Right = tuple[str, str, str]
"""API group, resource (with its subresource) and verb, as a role names them."""
OF_EVERYBODY: frozenset[Right] = frozenset({("authorization.k8s.io", "selfsubjectaccessreviews", "create")})
"""Whoever is known to a cluster may ask what they may."""
NOT_FOUND, CONFLICT, GONE, TOO_MANY = 404, 409, 410, 429
EXPECTED_REFUSALS = (NOT_FOUND, CONFLICT, GONE, TOO_MANY)
"""Answers that a controller lives with; any other refusal is a defect."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to an API server.

    Attributes:
        right: What it takes; None where no right is needed (``/version`` and its like).
        code: HTTP status of the answer.
    """

    right: Right | None
    code: int


def in_request_log(log: Path, user: str) -> Iterator[Asked]:
    """What a user asked for, by a sandbox's request log."""
    for entry in _entries(log, user):
        if entry["user"] == user:
            yield Asked(right(entry["verb"], entry["path"]), entry["code"])


def _entries(log: Path, user: str) -> Iterator[dict[str, Any]]:
    """The lines that name a user, which are few of many; not the one that is just being written."""
    with log.open() as lines:
        for line in lines:
            if user in line and line.endswith("\n"):
                yield json.loads(line)


def right(verb: str, path: str) -> Right | None:
    """What a role calls a request; None if it is not for a resource (``/version``, discovery)."""
    parts = path.partition("?")[0].strip("/").split("/")
    group, rest = (parts[1], parts[3:]) if parts[0] == "apis" and len(parts) > 1 else ("", parts[2:])
    if not parts[0].startswith("api") or not rest:
        return None
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    resource = f"{rest[0]}/{rest[2]}" if len(rest) > 2 else rest[0]
    return group, resource, verb


def in_audit_log(log: Path, user: str) -> Iterator[Asked]:
    """What a user asked for, by a real API server's audit log: JSON lines, one for each answered request."""
    for entry in _entries(log, user):
        if entry["user"]["username"] == user:
            code = entry.get("responseStatus", {}).get("code", 0)
            yield Asked(_audited(entry["verb"], entry.get("objectRef")), code)


def _audited(verb: str, about: dict[str, str] | None) -> Right | None:
    if about is None or "resource" not in about:
        return None
    resource = "/".join(part for part in (about["resource"], about.get("subresource")) if part)
    return about.get("apiGroup", ""), resource, verb


def used(asked: Iterable[Asked]) -> set[Right]:
    """The rights that some requests took, besides those of everybody; none of them may have been refused."""
    found = set()
    for one in asked:
        assert one.code < 400 or one.code in EXPECTED_REFUSALS, one
        found |= {one.right} if one.right is not None else set()
    return found - OF_EVERYBODY


def with_lists(rights: set[Right]) -> set[Right]:
    """The same, and the lists that stand for watches where a server does not begin those with a list."""
    return rights | {(group, resource, "list") for group, resource, verb in rights if verb == "watch"}


def granted_by(role: dict[str, Any]) -> set[Right]:
    """The rights that a role grants."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
