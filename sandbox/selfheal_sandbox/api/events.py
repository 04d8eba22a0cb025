"""Events: one object for equal ones, with a count, as a cluster's event recorder keeps them."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from selfheal_sandbox.store.objects import Key, Object, name_of, namespace_of, now_rfc3339, parse_rfc3339, uid_of
from selfheal_sandbox.store.store import Store

EventType: TypeAlias = Literal["Normal", "Warning"]

EVENTS: Key = ("", "events")
TIME_TO_LIVE = timedelta(hours=1)
"""How long an event is kept after it was last seen; the API server's default (``--event-ttl``)."""
EVENT_LIMIT = 5000
"""Events kept at most; the oldest go first."""
SWEEP_INTERVAL = timedelta(minutes=1)


class EventRecorder:
    """Writes events into the store and forgets old ones."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._next_sweep = clock() + SWEEP_INTERVAL
        self._written_since_sweep = 0

    def record(self, obj: Object, reason: str, message: str, event_type: EventType, component: str) -> None:
        """Count an equal event up, or write a new one about ``obj``.

        Nothing happens when the namespace is gone. An event about a cluster-scoped object goes to ``default``.
        """
        namespace = namespace_of(obj) or "default"
        if self._store.get(("", "namespaces"), "", namespace) is None:
            return
        now = self._clock()
        name = event_name(obj, reason, message, event_type, component)
        old = self._store.get(EVENTS, namespace, name)
        if old is None:
            self._store.put(EVENTS, _new_event(obj, namespace, name, reason, message, event_type, component, now))
        else:
            self._store.put(EVENTS, _seen_again(old, now))
        self._written_since_sweep += 1
        if now >= self._next_sweep or self._written_since_sweep > EVENT_LIMIT // 10:
            self._sweep(now)

    def _sweep(self, now: datetime) -> None:
        self._next_sweep = now + SWEEP_INTERVAL
        self._written_since_sweep = 0
        for event in expired_events(self._store.list(EVENTS), now):
            self._store.remove(EVENTS, namespace_of(event), name_of(event))


def event_name(obj: Object, reason: str, message: str, event_type: str, component: str) -> str:
    """Return the name under which equal events meet: the object's name and a digest of all that is equal."""
    identity = "\0".join((uid_of(obj), event_type, reason, message, component))
    return f"{name_of(obj)}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def expired_events(events: list[Object], now: datetime) -> list[Object]:
    """Return the events last seen too long ago, and the oldest of those above the limit."""
    by_age = sorted(events, key=_last_seen)
    surplus = max(0, len(by_age) - EVENT_LIMIT)
    oldest_kept = now_rfc3339(now - TIME_TO_LIVE)
    return by_age[:surplus] + [event for event in by_age[surplus:] if _last_seen(event) < oldest_kept]


def _last_seen(event: Object) -> str:
    """The time an event was last seen, in whole seconds, so that texts compare like times."""
    series = event.get("series") or {}
    seen = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    try:
        return now_rfc3339(parse_rfc3339(seen)) if seen else str(event["metadata"]["creationTimestamp"])
    except ValueError:
        return str(event["metadata"]["creationTimestamp"])


def _new_event(
    obj: Object, namespace: str, name: str, reason: str, message: str, event_type: str, component: str, now: datetime
) -> Object:
    seen = now_rfc3339(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": seen},
        "involvedObject": _reference(obj),
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "type": event_type,
        "count": 1,
        "firstTimestamp": seen,
        "lastTimestamp": seen,
    }


def _seen_again(event: Object, now: datetime) -> Object:
    changes = {"count": int(event.get("count") or 1) + 1, "lastTimestamp": now_rfc3339(now)}
    return {**event, "metadata": dict(event["metadata"]), **changes}


def _reference(obj: Object) -> Object:
    namespace = namespace_of(obj)
    return {
        "kind": obj["kind"],
        **({"namespace": namespace} if namespace else {}),
        "name": name_of(obj),
        "uid": uid_of(obj),
        "apiVersion": obj["apiVersion"],
        "resourceVersion": str(obj["metadata"].get("resourceVersion", "")),
    }
