"""The arithmetic of a rolling update: how many replicas each ReplicaSet of a Deployment may have next.

Never more pods than wanted + maxSurge, never fewer available than wanted - maxUnavailable. The rules are those of the
deployment controller of Kubernetes (``pkg/controller/deployment``: ``rolling.go``, ``sync.go``, ``util``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from selfheal_sandbox.controllers.amounts import resolve
from selfheal_sandbox.store.objects import Object

DEFAULT_SHARE = "25%"


@dataclass(frozen=True, slots=True)
class ReplicaCounts:
    """One ReplicaSet as the arithmetic sees it.

    Attributes:
        wanted: ``spec.replicas``.
        available: pods of it that are available.
        created: creation timestamp, RFC 3339.
        max_replicas: wanted + maxSurge of the Deployment when this ReplicaSet was last scaled; 0 when unknown.
    """

    name: str
    wanted: int
    available: int
    created: str = ""
    max_replicas: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a Deployment asks for, with percentages resolved."""

    wanted: int
    max_surge: int
    max_unavailable: int

    @property
    def most(self) -> int:
        """How many pods there may be at the same time; none when none are wanted."""
        return self.wanted + self.max_surge if self.wanted else 0

    @property
    def fewest_available(self) -> int:
        """How many pods must stay available."""
        return self.wanted - self.max_unavailable


def limits_of(spec: Object) -> Limits:
    """Return the limits of a Deployment's spec; surge rounds up, unavailability down, and both 0 would never move."""
    wanted = int(spec.get("replicas", 1))
    strategy = spec.get("strategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return Limits(wanted, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = resolve(rolling.get("maxSurge", DEFAULT_SHARE), wanted, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", DEFAULT_SHARE), wanted, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(wanted, surge, min(unavailable, wanted))


def new_replicas(limits: Limits, new: ReplicaCounts, old: Iterable[ReplicaCounts]) -> int:
    """Return how many replicas the new ReplicaSet should have now."""
    if new.wanted >= limits.wanted:
        return limits.wanted
    room = limits.wanted + limits.max_surge - new.wanted - sum(each.wanted for each in old)
    return new.wanted + max(0, min(room, limits.wanted - new.wanted))


def old_replicas(limits: Limits, new: ReplicaCounts, old: Sequence[ReplicaCounts]) -> dict[str, int]:
    """Return the old ReplicaSets to scale down now, by name: unhealthy replicas first, oldest ReplicaSet first."""
    total = new.wanted + sum(each.wanted for each in old)
    removable = total - limits.fewest_available - (new.wanted - new.available)
    if removable <= 0:
        return {}
    oldest_first = sorted(old, key=lambda each: (each.created, each.name))
    cleaned = _drop_unavailable(oldest_first, removable)
    spare = new.available + sum(each.available for each in old) - limits.fewest_available
    final = _drop_available(cleaned, spare)
    return {after.name: after.wanted for before, after in zip(oldest_first, final, strict=True) if after != before}


def _drop_unavailable(old: Sequence[ReplicaCounts], removable: int) -> list[ReplicaCounts]:
    """Take away replicas that are not available: they help nobody, and a broken old release must not block."""
    result = []
    for each in old:
        gone = min(max(each.wanted - each.available, 0), removable)
        removable -= gone
        result.append(replace(each, wanted=each.wanted - gone))
    return result


def _drop_available(old: Sequence[ReplicaCounts], spare: int) -> list[ReplicaCounts]:
    """Take away as many replicas as there are more available pods than must stay."""
    result = []
    for each in old:
        gone = min(each.wanted, max(spare, 0))
        spare -= gone
        result.append(replace(each, wanted=each.wanted - gone))
    return result


def resize(limits: Limits, new: ReplicaCounts | None, old: Sequence[ReplicaCounts], *, rolling: bool) -> dict[str, int]:
    """Return the ReplicaSets to scale, by name, after the wanted number of a Deployment changed.

    With one ReplicaSet in use it takes the number. When the rollout was complete, what is left of old ones goes. In
    the middle of a rolling update the difference is shared in proportion to the sizes, so that the update goes on.

    Args:
        limits: what the Deployment now asks for.
        new: the ReplicaSet of the current template, when it exists.
        old: every other ReplicaSet.
        rolling: whether the strategy is RollingUpdate.
    """
    everyone = [*old, *([new] if new else [])]
    in_use = [each for each in everyone if each.wanted > 0]
    if len(in_use) <= 1:
        latest = (in_use or ([new] if new else sorted(old, key=lambda each: (each.created, each.name))))[-1:]
        return {each.name: limits.wanted for each in latest if each.wanted != limits.wanted}
    if new and new.wanted == limits.wanted and new.available == limits.wanted:
        return {each.name: 0 for each in old if each.wanted}
    return _share(limits, in_use) if rolling else {}


def _share(limits: Limits, in_use: Sequence[ReplicaCounts]) -> dict[str, int]:
    total = sum(each.wanted for each in in_use)
    to_add = limits.most - total
    newest_first = sorted(in_use, key=lambda each: (each.created, each.name), reverse=to_add > 0)
    largest_first = sorted(newest_first, key=lambda each: -each.wanted)
    sizes: dict[str, int] = {}
    added = 0
    for each in largest_first:
        part = _proportion(limits, each, to_add, to_add - added, total)
        sizes[each.name] = each.wanted + part
        added += part
    left = to_add - added  # what rounding left over: the largest takes it, the next ones what it cannot give
    for each in largest_first:
        size = max(0, sizes[each.name] + left)
        left -= size - sizes[each.name]
        sizes[each.name] = size
    return {each.name: sizes[each.name] for each in in_use if sizes[each.name] != each.wanted}


def _proportion(limits: Limits, each: ReplicaCounts, to_add: int, left: int, total: int) -> int:
    """Return what one ReplicaSet gains (or, negative, loses) of the replicas to add, at most what is left."""
    if not to_add or not left:
        return 0
    if limits.wanted == 0:
        return max(-each.wanted, left)
    was = each.max_replicas or total
    ideal = int(each.wanted * (limits.wanted + limits.max_surge) / was + 0.5) - each.wanted
    return min(ideal, left) if to_add > 0 else max(ideal, left)
