"""Which revisions of a release were seen healthy, and for how long: the record, and how watching makes it.

Wire format: one ConfigMap ``selfheal-known-good-<release>`` per release, in the release's namespace, with one key per
revision number; each value is one JSON object, ``KnownGood``. Whoever watches writes it; everybody reads it. The
workload that was watched owns it, so that it goes with the release: a later release of that name begins anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from selfheal_core.domain.objects import ConfigMap, Int32, Moment, OwnerReference
from selfheal_core.domain.snapshot import Application, OwnerKey, Revision, Snapshot, Track

CONFIG_MAP_PREFIX = "selfheal-known-good-"
CONFIG_MAP_LABELS: Mapping[str, str] = {
    "app.kubernetes.io/managed-by": "selfheal",
    "selfheal.internal/record": "known-good",
}
"""Labels of the ConfigMaps, so that a watch can select them."""
SELECTOR = "selfheal.internal/record=known-good"
WATCHER_GAP_SECONDS = 600.0
"""A gap in the watching of up to this does not end a healthy stretch."""
REWRITE_SECONDS = 300.0
"""How often the end of a healthy stretch is written while it lasts."""
KEPT_REVISIONS = 20
"""Records kept per release; the oldest revisions go first."""


class ReleaseKey(NamedTuple):
    """Identity of a Helm release."""

    namespace: str
    name: str


class KnownGood(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What was observed of one revision.

    Attributes:
        good: It was all ready for the whole soak time.
        healthy_since: Seconds since the epoch; when the longest healthy stretch began; None if there was none.
        healthy_until: When it was last seen healthy in that stretch.
        observed_by: Who watched, e.g. ``healerd``.
        image: Image of its first container.
    """

    revision: Int32
    good: bool
    healthy_since: Moment | None = None
    healthy_until: Moment | None = None
    observed_by: str = ""
    image: str = ""

    @property
    def healthy_seconds(self) -> float | None:
        """Length of the longest healthy stretch."""
        if self.healthy_since is None or self.healthy_until is None:
            return None
        return max(0.0, self.healthy_until - self.healthy_since)


def config_map_name(release: str) -> str:
    """Name of the ConfigMap that holds a release's record."""
    return f"{CONFIG_MAP_PREFIX}{release}"


def encode_record(record: KnownGood) -> str:
    """One record as the value of its key."""
    return msgspec.json.encode(record).decode()


def decode_records(config_map: ConfigMap) -> dict[int, KnownGood]:
    """Read a ConfigMap; entries that are not ours or can't be read are left out."""
    records = {}
    for key, text in config_map.data.items():
        try:
            record = msgspec.json.decode(text, type=KnownGood)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if key == str(record.revision):
            records[record.revision] = record
    return records


def config_map_data(records: Iterable[KnownGood]) -> dict[str, str]:
    """``data`` of the ConfigMap: the newest ``KEPT_REVISIONS`` records; a good one is never displaced by bad ones."""
    ordered = sorted(records, key=lambda record: (record.good, record.revision), reverse=True)
    kept = sorted(ordered[:KEPT_REVISIONS], key=lambda record: record.revision)
    return {str(record.revision): encode_record(record) for record in kept}


def config_map_body(
    key: ReleaseKey,
    records: Iterable[KnownGood],
    *,
    owners: Iterable[OwnerReference] = (),
    resource_version: str = "",
) -> dict[str, object]:
    """The whole ConfigMap, to create, or to replace that very version; its labels are what the observer selects by."""
    metadata: dict[str, object] = {
        "name": config_map_name(key.name),
        "namespace": key.namespace,
        "labels": dict(CONFIG_MAP_LABELS),
    }
    if references := [_owner_reference(owner) for owner in owners]:
        metadata["ownerReferences"] = references
    if resource_version:
        metadata["resourceVersion"] = resource_version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": config_map_data(records)}


def _owner_reference(owner: OwnerReference) -> dict[str, str]:
    """On the wire; without ``blockOwnerDeletion``, for which a writer may need more rights."""
    return {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}


def release_of_config_map(name: str) -> str:
    """The release whose record a ConfigMap of that name holds; "" if it holds none."""
    return name.removeprefix(CONFIG_MAP_PREFIX) if name.startswith(CONFIG_MAP_PREFIX) else ""


def with_record(revision: Revision, record: KnownGood | None) -> Revision:
    """A revision with what was observed of it; unchanged if nothing was."""
    if record is None:
        return revision
    return replace(
        revision,
        known_good=record.good,
        healthy_seconds=record.healthy_seconds,
        image=revision.image or record.image,
    )


def joined(on_record: KnownGood | None, seen: KnownGood, *, watching_since: float | None) -> KnownGood:
    """What to write when a revision was seen, given what is on record of it.

    Once good stays good: what broke it later is another fact. A watcher that restarted goes on from the stretch that
    its predecessor recorded, if that ended lately; otherwise the longer stretch stays.

    Args:
        on_record: None if nothing is.
        seen: By this watcher.
        watching_since: When this watcher began, if it found the revision healthy at its first look; None if it saw it
            in another state, so that what it saw is a stretch of its own.
    """
    if on_record is None or not on_record.good:
        return seen
    if not seen.good:
        return on_record
    began, ended, again = on_record.healthy_since, on_record.healthy_until, seen.healthy_since
    if began is not None and ended is not None and again is not None:
        resumed = watching_since is not None and ended < watching_since and again - ended <= WATCHER_GAP_SECONDS
        if resumed or ended >= again:
            return msgspec.structs.replace(seen, healthy_since=min(began, again))
    return max(on_record, seen, key=lambda record: record.healthy_seconds or 0.0)


@dataclass(frozen=True, slots=True)
class Soak:
    """How the watching of one release's running revision stands.

    Attributes:
        watched_since: When this revision was first seen running, or seen again after a long gap in the watching.
        healthy_since: Start of the present healthy stretch; None while it is not healthy.
        written: The last record handed out; None before the first.
        workload: What runs the revision.
        looked_at: When it was looked at last; None before the first time.
    """

    revision: int
    image: str
    watched_since: float
    healthy_since: float | None = None
    written: KnownGood | None = None
    workload: OwnerKey | None = None
    looked_at: float | None = None

    @property
    def healthy_from_the_first_look(self) -> bool:
        """Whether it was never seen in another state."""
        return self.healthy_since == self.watched_since


@dataclass(frozen=True, slots=True)
class SoakResult:
    """What follows from one look: the state to keep, and the records to write now."""

    soaks: Mapping[ReleaseKey, Soak]
    records: tuple[tuple[ReleaseKey, KnownGood], ...]


def observe_soak(
    soaks: Mapping[ReleaseKey, Soak],
    snapshot: Snapshot,
    *,
    soak_seconds: float,
    observed_by: str,
    now: float,
) -> SoakResult:
    """Watch every release's running revision for its soak time. Pure; the caller writes the records.

    A record is handed out when the revision passes its soak, when it has not after twice that time, and then at most
    every ``REWRITE_SECONDS`` while its longest healthy stretch grows. A revision once good stays good: what broke it
    later is another fact. Revisions that are only inferred are not recorded.

    Args:
        soaks: Result of the last call; empty at first.
        snapshot: Must be fresh: call this only while pods and owners are.
        soak_seconds: How long all pods must be ready without a break.
        observed_by: Goes into the record.
        now: Seconds since the epoch.
    """
    kept: dict[ReleaseKey, Soak] = {}
    records: list[tuple[ReleaseKey, KnownGood]] = []
    for application in snapshot.applications.values():
        for track in application.tracks:
            if not track.release or track.revision is None or track.revision_inferred:
                continue
            key = ReleaseKey(application.key.namespace, track.release)
            before = soaks.get(key)
            if before is None or (before.revision, before.workload) != (track.revision, track.workload):
                before = Soak(track.revision, track.image, now, workload=track.workload)
            soak = _looked_at(before, _healthy(application, track, snapshot, now - soak_seconds), now)
            record = _due(soak, soak_seconds, observed_by, now)
            if record is not None:
                records.append((key, record))
            kept[key] = soak if record is None else replace(soak, written=record)
    return SoakResult(kept, tuple(records))


def _healthy(application: Application, track: Track, snapshot: Snapshot, restarted_before: float) -> bool:
    """Whether the rollout is settled, every pod of the track is ready, and none restarted lately."""
    if not track.generation_observed or not track.desired:
        return False
    if not (track.updated == track.desired and track.ready >= track.desired and track.available >= track.desired):
        return False
    for uid in application.pods:
        row = snapshot.pods.get(uid)
        if row is None or row.track != track.name or row.state in ("terminating", "completed"):
            continue
        if row.state != "running" or (row.last_restart_at or 0.0) > restarted_before:
            return False
    return True


def _looked_at(soak: Soak, healthy: bool, now: float) -> Soak:
    if soak.looked_at is not None and now - soak.looked_at > WATCHER_GAP_SECONDS:
        soak = replace(soak, watched_since=now, healthy_since=None)  # nobody knows what was in between
    since = now if soak.healthy_since is None else soak.healthy_since
    return replace(soak, healthy_since=since if healthy else None, looked_at=now)


def _due(soak: Soak, soak_seconds: float, observed_by: str, now: float) -> KnownGood | None:
    """The record to write now; None while what is on record says enough."""
    written = soak.written
    if soak.healthy_since is None or now - soak.healthy_since < soak_seconds:
        failed = written is None and now - soak.watched_since >= 2 * soak_seconds
        return KnownGood(soak.revision, False, observed_by=observed_by, image=soak.image) if failed else None
    if written is not None and written.good:
        grown = now - soak.healthy_since - (written.healthy_seconds or 0.0)
        if grown < REWRITE_SECONDS:
            return None
    return KnownGood(soak.revision, True, soak.healthy_since, now, observed_by, soak.image)
