"""Deletion: what a client may ask for, and what one request does to one object.

`decide` is the whole policy as a pure function; `Objects.delete` carries out what it says.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from selfheal_sandbox.api.errors import bad_request, invalid_kind
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.store.objects import Object, finalizers_of, is_terminating, now_rfc3339, spec_of, status_of

Propagation: TypeAlias = Literal["Orphan", "Background", "Foreground"]

PROPAGATIONS: tuple[Propagation, ...] = ("Background", "Foreground", "Orphan")
FOREGROUND_FINALIZER = "foregroundDeletion"
ORPHAN_FINALIZER = "orphan"
_COLLECTOR_FINALIZERS: dict[Propagation, str] = {"Foreground": FOREGROUND_FINALIZER, "Orphan": ORPHAN_FINALIZER}
DEFAULT_POD_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """``meta/v1 DeleteOptions``: grace, preconditions, and what happens to dependents.

    Without a propagation, what an earlier deletion or a client has said of the dependents holds, else ``Background``.
    """

    grace_period_seconds: int | None = None
    propagation: Propagation | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """The object leaves the store now."""


@dataclass(frozen=True, slots=True)
class Termination:
    """The object stays, marked as terminating, until its finalizers or its kubelet are done."""

    obj: Object


def delete_options(body: Object, query: Object) -> DeleteOptions:
    """Read options from a request's body, with those in its query string on top.

    Raises:
        ApiError: 400, an option has a wrong type; 422, it has an unknown value.
    """
    merged = {**body, **query}
    preconditions = _typed(merged, "preconditions", dict) or {}
    grace = _typed(merged, "gracePeriodSeconds", int)
    if grace is not None and grace < 0:
        grace = 1  # what the API server makes of a negative grace period
    return DeleteOptions(
        grace_period_seconds=grace,
        propagation=_propagation(merged),
        uid=_typed(preconditions, "uid", str),
        resource_version=_typed(preconditions, "resourceVersion", str),
        dry_run=bool(_typed(merged, "dryRun", list)),
    )


def _propagation(options: Object) -> Propagation | None:
    policy = _typed(options, "propagationPolicy", str)
    orphan = _typed(options, "orphanDependents", bool)
    if policy is not None and orphan is not None:
        raise bad_request("orphanDependents and propagationPolicy cannot be both set")
    if not policy:
        return None if orphan is None else "Orphan" if orphan else "Background"
    for known in PROPAGATIONS:
        if policy == known:
            return known
    problem = cause.not_supported("propagationPolicy", policy, ("Foreground", "Background", "Orphan", "nil"))
    raise invalid_kind("DeleteOptions", "meta.k8s.io", "", [problem])


def _typed(options: Object, name: str, wanted: type) -> Any:
    value = options.get(name)
    if value is None:
        return None
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise bad_request(f"DeleteOptions.{name}: expected {wanted.__name__}, got {type(value).__name__}")
    return value


def decide(obj: Object, options: DeleteOptions, *, now: datetime) -> Removal | Termination:
    """Return what a delete request does to ``obj``; preconditions were checked before.

    A pod is marked even when it can go at once, as on a cluster, where its last state tells a grace period of 0.
    """
    if obj["kind"] == "Namespace":
        return _terminate_namespace(obj, now)
    if _is_pending(obj, options):
        return Termination(obj)
    finalizers = _finalizers(obj, options)
    grace = _grace_seconds(obj, options)
    is_stopped = is_terminating(obj) and not _given_grace_seconds(obj)
    if not finalizers and (obj["kind"] != "Pod" or is_stopped):
        return Removal()
    return Termination(_mark(obj, finalizers, grace, now))


def _is_pending(obj: Object, options: DeleteOptions) -> bool:
    """Return whether a pod is stopping and goes on as it was told before: only a shorter grace period changes that.

    See BeforeDelete of apiserver's pkg/registry/rest: finalizers do not change either.
    """
    given, asked = _given_grace_seconds(obj), options.grace_period_seconds
    return obj["kind"] == "Pod" and given > 0 and (asked is None or asked >= given)


def _given_grace_seconds(obj: Object) -> int:
    """Return the grace period of an object that is going; 0 when it has none or is not going."""
    return int(obj["metadata"].get("deletionGracePeriodSeconds") or 0) if is_terminating(obj) else 0


def _finalizers(obj: Object, options: DeleteOptions) -> list[str]:
    """Return the finalizers that a deletion leaves: what it says to the garbage collector replaces what was said."""
    if options.propagation is None or obj["kind"] == "Event":  # nothing depends on those (GarbageCollectionPolicy)
        return list(finalizers_of(obj))
    others = [each for each in finalizers_of(obj) if each not in _COLLECTOR_FINALIZERS.values()]
    wanted = _COLLECTOR_FINALIZERS.get(options.propagation)
    return others if wanted is None else [*others, wanted]


def _grace_seconds(obj: Object, options: DeleteOptions) -> int:
    """Only pods have a grace period, and only those that a kubelet may still have to stop.

    Of a pod that is stopping no more is asked than whether there is time left.
    """
    if is_terminating(obj):
        return min(options.grace_period_seconds or 0, _given_grace_seconds(obj))
    if obj["kind"] != "Pod" or not spec_of(obj).get("nodeName"):
        return 0
    if status_of(obj).get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_period_seconds is not None:
        return options.grace_period_seconds
    return int(spec_of(obj).get("terminationGracePeriodSeconds", DEFAULT_POD_GRACE_SECONDS))


def _mark(obj: Object, finalizers: list[str], grace: int, now: datetime) -> Object:
    """Set the deletion fields; a second request may shorten the grace period and never lengthens it."""
    old = obj["metadata"]
    metadata = {name: value for name, value in old.items() if name != "finalizers"}
    metadata.update({"finalizers": finalizers} if finalizers else {})
    if not is_terminating(obj) or grace < old.get("deletionGracePeriodSeconds", 0):
        metadata["deletionTimestamp"] = now_rfc3339(now + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
    metadata.setdefault("deletionGracePeriodSeconds", grace)  # an object may be applied with a time alone
    if metadata == old:
        return obj
    if "generation" in old and not is_terminating(obj):
        metadata["generation"] = old["generation"] + 1
    return {**obj, "metadata": metadata}


def _terminate_namespace(obj: Object, now: datetime) -> Removal | Termination:
    """A namespace waits for the controller that empties it and then takes its finalizer away."""
    if is_terminating(obj):
        return Termination(obj)
    if not finalizers_of(obj) and not spec_of(obj).get("finalizers"):
        return Removal()
    metadata = {**obj["metadata"], "deletionTimestamp": now_rfc3339(now)}
    return Termination({**obj, "metadata": metadata, "status": {**status_of(obj), "phase": "Terminating"}})


def is_finished(obj: Object) -> bool:
    """Return whether nothing keeps a terminating object in the store any more."""
    if not is_terminating(obj) or finalizers_of(obj):
        return False
    if obj["kind"] == "Namespace":
        return not spec_of(obj).get("finalizers")
    return not obj["metadata"].get("deletionGracePeriodSeconds")
