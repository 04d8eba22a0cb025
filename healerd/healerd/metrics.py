"""healerd's own metrics. No label carries a pod's name or uid: those would grow without bound."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters and gauges in a registry of their own.

    Attributes:
        decisions: Rounds of the loop, by whether anything was done.
        evictions: Evictions by result (see ``healerd.act.Result``).
        held_pods: Pods above the limit that a gate holds, by gate, at the last look.
        watch_age_seconds: Age of the oldest stream that decisions need.
        round_seconds: Time one round took, actions included.
        errors: Rounds that ended in an unexpected error.
        known_good_records: Known-good records written, by result.
        event_failures: Events that could not be written.
        missing_rights: Rights that its ClusterRole should give and the cluster says it does not have.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.decisions = Counter("healerd_decisions", "Rounds of the loop", ["outcome"], registry=self.registry)
        self.evictions = Counter("healerd_evictions", "Evictions sent", ["result"], registry=self.registry)
        self.held_pods = Gauge(
            "healerd_held_pods", "Pods above the limit that a gate holds", ["gate"], registry=self.registry
        )
        self.watch_age_seconds = Gauge(
            "healerd_watch_age_seconds", "Age of the oldest stream that decisions need", registry=self.registry
        )
        self.round_seconds = Histogram("healerd_round_seconds", "Time one round took", registry=self.registry)
        self.errors = Counter("healerd_errors", "Rounds that ended in an unexpected error", registry=self.registry)
        self.known_good_records = Counter(
            "healerd_known_good_records", "Known-good records written", ["result"], registry=self.registry
        )
        self.missing_rights = Gauge(
            "healerd_missing_rights", "Rights that it needs and does not have", registry=self.registry
        )
        self.event_failures = Counter(
            "healerd_event_failures", "Events that could not be written", registry=self.registry
        )
