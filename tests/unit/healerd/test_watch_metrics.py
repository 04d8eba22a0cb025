"""What healerd tells of its watches."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from healerd.watch_metrics import WatchMetrics
from selfheal_core.cluster.kubernetes.watch_statistics import Statistics, total

NOW = 1_000.0


def page(**statistics: Statistics) -> str:
    registry = CollectorRegistry()
    registry.register(WatchMetrics(lambda: statistics, lambda: NOW))
    return generate_latest(registry).decode()


def test_each_source_has_its_own_series() -> None:
    pods = Statistics(watches=3, failures=2, events=40, unreadable=1, last_event_at=990.0, lag_seconds=1.5)
    pods.count_list("first")
    pods.count_list("gone")
    pods.count_list("gone")
    text = page(pods=pods, deployments=Statistics())
    assert 'healerd_lists_total{cause="first",source="pods"} 1.0' in text
    assert 'healerd_lists_total{cause="gone",source="pods"} 2.0' in text
    assert 'healerd_watches_total{source="pods"} 3.0' in text
    assert 'healerd_watch_failures_total{source="pods"} 2.0' in text
    assert 'healerd_watch_events_total{source="pods"} 40.0' in text
    assert 'healerd_unreadable_objects_total{source="pods"} 1.0' in text
    assert 'healerd_watch_lag_seconds{source="pods"} 1.5' in text
    assert 'healerd_watch_event_age_seconds{source="pods"} 10.0' in text
    assert 'healerd_watches_total{source="deployments"} 0.0' in text


def test_no_event_yet_has_no_age() -> None:
    assert "healerd_watch_event_age_seconds{" not in page(pods=Statistics())


def test_streams_of_several_namespaces_read_as_one() -> None:
    first = Statistics(watches=1, events=5, last_event_at=10.0, lag_seconds=0.0)
    first.count_list("first")
    second = Statistics(watches=2, events=7, last_event_at=20.0, lag_seconds=3.0)
    second.count_list("first")
    second.count_list("idle")
    both = total([first, second])
    assert (both.lists, both.watches, both.events) == (3, 3, 12)
    assert both.lists_by_cause == {"first": 2, "idle": 1}
    assert (both.last_event_at, both.lag_seconds) == (20.0, 3.0)
