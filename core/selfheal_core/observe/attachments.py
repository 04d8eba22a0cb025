"""What hangs on an application from outside: autoscalers, budgets, events, release history, known-good records."""

from collections.abc import Iterable, Mapping

from selfheal_core.domain.applications import autoscaler_of, budget_of
from selfheal_core.domain.controller_status import by_controller, event_time
from selfheal_core.domain.known_good import KnownGood, ReleaseKey, with_record
from selfheal_core.domain.objects import Event, HorizontalPodAutoscaler, PodDisruptionBudget, Uid
from selfheal_core.domain.selectors import matches
from selfheal_core.domain.snapshot import Autoscaler, DisruptionBudget, OwnerKey, Revision

EVENTS_PER_OBJECT = 10
EVENTS_PER_APPLICATION = 20


class Autoscalers:
    """HorizontalPodAutoscalers by the workload that they scale."""

    def __init__(self) -> None:
        self._by_target: dict[tuple[str, str, str], dict[Uid, Autoscaler]] = {}

    def put(self, scaler: HorizontalPodAutoscaler) -> tuple[str, str, str]:
        """Add or replace; gives its target as (kind, namespace, name)."""
        target = self.target_of(scaler)
        self._by_target.setdefault(target, {})[scaler.metadata.uid] = autoscaler_of(scaler)
        return target

    def remove(self, scaler: HorizontalPodAutoscaler) -> tuple[str, str, str]:
        """Forget; gives its target."""
        target = self.target_of(scaler)
        scalers = self._by_target.get(target, {})
        scalers.pop(scaler.metadata.uid, None)
        if not scalers:
            self._by_target.pop(target, None)
        return target

    def of(self, owners: Iterable[OwnerKey]) -> Autoscaler | None:
        """The autoscaler of the first of these workloads that has one."""
        for owner in owners:
            for scaler in self._by_target.get(owner[:3], {}).values():
                return scaler
        return None

    @staticmethod
    def target_of(scaler: HorizontalPodAutoscaler) -> tuple[str, str, str]:
        """Kind, namespace and name of what it scales."""
        target = scaler.spec.scale_target_ref
        return target.kind, scaler.metadata.namespace, target.name


class Budgets:
    """PodDisruptionBudgets by namespace."""

    def __init__(self) -> None:
        self._by_namespace: dict[str, dict[Uid, PodDisruptionBudget]] = {}

    def put(self, budget: PodDisruptionBudget) -> None:
        """Add or replace."""
        self._by_namespace.setdefault(budget.metadata.namespace, {})[budget.metadata.uid] = budget

    def remove(self, budget: PodDisruptionBudget) -> None:
        """Forget."""
        budgets = self._by_namespace.get(budget.metadata.namespace, {})
        budgets.pop(budget.metadata.uid, None)
        if not budgets:
            self._by_namespace.pop(budget.metadata.namespace, None)

    def of(self, namespace: str, labels: Mapping[str, str]) -> DisruptionBudget | None:
        """The budget that covers pods with these labels; of several the strictest, as an eviction meets all of them."""
        covering = [
            budget_of(budget)
            for budget in self._by_namespace.get(namespace, {}).values()
            if matches(budget.spec.selector, labels)
        ]
        return min(covering, key=lambda budget: budget.disruptions_allowed, default=None)


class Events:
    """The newest events of each object, bounded, and healerd's newest one of all."""

    def __init__(self) -> None:
        self._by_object: dict[Uid, dict[Uid, Event]] = {}
        self.last_of_controller: Event | None = None

    def put(self, event: Event) -> Uid:
        """Add or replace; gives the uid of the object it is about ("" if it names none)."""
        if by_controller(event):
            last = self.last_of_controller
            if last is None or event_time(event) >= event_time(last):
                self.last_of_controller = event
        elif event.type != "Warning":
            return ""
        uid = event.involved_object.uid
        if not uid:
            return ""
        events = self._by_object.setdefault(uid, {})
        events[event.metadata.uid] = event
        if len(events) > EVENTS_PER_OBJECT:
            del events[min(events, key=lambda key: event_time(events[key]))]
        return uid

    def remove(self, event: Event) -> Uid:
        """Forget an event that the cluster expired; gives the uid of the object it was about."""
        uid = event.involved_object.uid
        events = self._by_object.get(uid)
        if events is None or events.pop(event.metadata.uid, None) is None:
            return ""
        if not events:
            del self._by_object[uid]
        return uid

    def of(self, uids: Iterable[Uid]) -> tuple[Event, ...]:
        """Newest first, of any of these objects."""
        found = [event for uid in uids if uid in self._by_object for event in self._by_object[uid].values()]
        found.sort(key=event_time, reverse=True)
        return tuple(found[:EVENTS_PER_APPLICATION])


class Releases:
    """Helm history by release, joined with what was observed of each revision."""

    def __init__(self) -> None:
        self._revisions: dict[ReleaseKey, dict[Uid, Revision]] = {}
        self._records: dict[ReleaseKey, Mapping[int, KnownGood]] = {}

    def put(self, revision: Revision) -> ReleaseKey:
        """Add or replace one revision."""
        key = ReleaseKey(revision.namespace, revision.release)
        self._revisions.setdefault(key, {})[revision.secret_uid] = revision
        return key

    def remove(self, revision: Revision) -> ReleaseKey:
        """Forget one revision."""
        key = ReleaseKey(revision.namespace, revision.release)
        revisions = self._revisions.get(key, {})
        revisions.pop(revision.secret_uid, None)
        if not revisions:
            self._revisions.pop(key, None)
        return key

    def put_records(self, key: ReleaseKey, records: Mapping[int, KnownGood]) -> None:
        """Replace what was observed of a release; no records forget it."""
        if records:
            self._records[key] = records
        else:
            self._records.pop(key, None)

    def records(self) -> Mapping[ReleaseKey, Mapping[int, KnownGood]]:
        """All that was observed, by release."""
        return dict(self._records)

    def of(self, key: ReleaseKey) -> tuple[Revision, ...]:
        """A release's revisions, newest first."""
        records = self._records.get(key, {})
        joined = (
            with_record(revision, records.get(revision.number)) for revision in self._revisions.get(key, {}).values()
        )
        return tuple(sorted(joined, key=lambda revision: -revision.number))
