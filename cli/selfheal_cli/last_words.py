"""What a container said before it ended: the last line of its log that tells something."""

import json
from collections.abc import Iterable
from contextlib import suppress

from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.domain.snapshot import PodRow
from selfheal_core.errors import SelfhealError

TAIL_LINES = 20
FAULT_KEYS = ("exception", "error")
MESSAGE_KEYS = ("event", "message", "msg")
LEVEL_KEYS = ("level", "severity", "levelname")
TIME_KEYS = ("timestamp", "time", "ts", "@timestamp")


def troubled_pod(rows: Iterable[PodRow]) -> PodRow | None:
    """The pod whose last words say most: it restarted and is in trouble or just starting, bad ones first."""
    candidates = [row for row in rows if row.restarts and (row.severity in ("bad", "warn") or row.state == "starting")]
    return max(candidates, key=lambda row: (row.severity == "bad", row.last_restart_at or 0.0), default=None)


async def last_words(client: KubernetesClient, namespace: str, pod: str, container: str) -> str:
    """The last line that the run before the last restart logged, "" where there is none to read."""
    with suppress(SelfhealError):
        return last_line(await client.logs(namespace, pod, container, previous=True, tail_lines=TAIL_LINES))
    return ""


def last_line(text: str) -> str:
    """The last line of a log that says something; of a JSON line its error, else its message and what belongs to it."""
    row = last_row(text)
    fields = json_fields(row)
    message = first_of(fields, MESSAGE_KEYS)
    said = first_of(fields, FAULT_KEYS) or (" ".join([message, *other_fields(fields)]) if message else "")
    return last_row(said) or row


def last_row(text: str) -> str:
    """The last row that is not blank."""
    return next((row.strip() for row in reversed(text.splitlines()) if row.strip()), "")


def json_fields(text: str) -> dict[str, object]:
    """Fields of a JSON object; none for anything else."""
    if not text.startswith("{"):
        return {}
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def first_of(fields: dict[str, object], keys: tuple[str, ...]) -> str:
    """The first of these fields that is there and not empty, as text."""
    return next((str(fields[key]) for key in keys if fields.get(key)), "")


def other_fields(fields: dict[str, object]) -> list[str]:
    """What a JSON line tells beside time, level, message and error, as ``key=value``."""
    told = {*MESSAGE_KEYS, *LEVEL_KEYS, *FAULT_KEYS, *TIME_KEYS}
    return [f"{key}={value}" for key, value in fields.items() if key not in told]
