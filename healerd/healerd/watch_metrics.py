"""What the watches have been through, as metrics that are read from their own counters at each scrape."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from selfheal_core.cluster.kubernetes.watch_statistics import Statistics

COUNTERS: tuple[tuple[str, str, str], ...] = (
    ("healerd_watches", "Watches opened", "watches"),
    ("healerd_watch_failures", "Lists and watches that ended in an error", "failures"),
    ("healerd_watch_events", "Lines of watches, bookmarks among them", "events"),
    ("healerd_unreadable_objects", "Objects left out because they could not be decoded", "unreadable"),
)
"""Name, help, and field of ``Statistics``; one series per source."""


class WatchMetrics(Collector):
    """Metrics of every watch.

    Args:
        statistics: By name of the source.
        clock: Seconds since the epoch, the same that the statistics were made by.
    """

    def __init__(self, statistics: Callable[[], Mapping[str, Statistics]], clock: Callable[[], float]) -> None:
        self._statistics = statistics
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """As of now."""
        found, now = self._statistics(), self._clock()
        for name, text, field in COUNTERS:
            counter = CounterMetricFamily(name, text, labels=["source"])
            for source, statistics in found.items():
                counter.add_metric([source], getattr(statistics, field))
            yield counter
        yield _lists(found)
        lag = GaugeMetricFamily(
            "healerd_watch_lag_seconds", "How long events may have waited to be read", labels=["source"]
        )
        age = GaugeMetricFamily(
            "healerd_watch_event_age_seconds", "Since the newest event or bookmark", labels=["source"]
        )
        for source, statistics in found.items():
            lag.add_metric([source], statistics.lag_seconds)
            if statistics.last_event_at is not None:
                age.add_metric([source], now - statistics.last_event_at)
        yield lag
        yield age


def _lists(found: Mapping[str, Statistics]) -> Metric:
    lists = CounterMetricFamily("healerd_lists", "Lists begun, by why", labels=["source", "cause"])
    for source, statistics in found.items():
        for cause, count in statistics.lists_by_cause.items():
            lists.add_metric([source, cause], count)
    return lists
