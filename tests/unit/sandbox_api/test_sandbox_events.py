from selfheal_sandbox.api.events import EVENT_LIMIT, EVENTS, expired_events
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.store.objects import Object
from tests.unit.sandbox_api.bodies import NAMESPACES, PODS, pod
from tests.unit.sandbox_api.fakes import NOON, ManualClock

NS = "default"


def listed(objects: Objects) -> list[Object]:
    return objects.store.list(EVENTS)


def record(objects: Objects, obj: Object, message: str = "Back-off restarting failed container") -> None:
    objects.record_event(obj, "BackOff", message, type="Warning", component="kubelet")


def test_an_event_names_its_object_and_its_source(objects: Objects) -> None:
    subject = objects.create(PODS, NS, pod("p"))
    record(objects, subject)
    (event,) = listed(objects)

    assert event["involvedObject"] == {
        "kind": "Pod",
        "namespace": NS,
        "name": "p",
        "uid": subject["metadata"]["uid"],
        "apiVersion": "v1",
        "resourceVersion": subject["metadata"]["resourceVersion"],
    }
    assert (event["reason"], event["type"], event["count"]) == ("BackOff", "Warning", 1)
    assert event["source"] == {"component": "kubelet"}


def test_equal_events_are_counted_in_one(objects: Objects, clock: ManualClock) -> None:
    subject = objects.create(PODS, NS, pod("p"))
    record(objects, subject)
    clock.advance(seconds=20)
    record(objects, subject)
    record(objects, subject, "another message")
    counts = {
        event["message"]: (event["count"], event["firstTimestamp"], event["lastTimestamp"]) for event in listed(objects)
    }

    assert counts["Back-off restarting failed container"] == (2, "2026-03-01T12:00:00Z", "2026-03-01T12:00:20Z")
    assert counts["another message"][0] == 1


def test_events_about_cluster_scoped_objects_go_to_default(objects: Objects) -> None:
    objects.record_event(objects.get(NAMESPACES, "", "kube-system"), "Seen", "hello", component="test")

    assert listed(objects)[0]["metadata"]["namespace"] == "default"


def test_events_of_a_namespace_that_is_gone_are_dropped(objects: Objects) -> None:
    stray: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "gone"}}
    record(objects, stray)

    assert listed(objects) == []


def test_events_are_forgotten_an_hour_after_they_were_last_seen(objects: Objects, clock: ManualClock) -> None:
    subject = objects.create(PODS, NS, pod("p"))
    record(objects, subject, "old")
    record(objects, subject, "kept up")
    clock.advance(minutes=50)
    record(objects, subject, "kept up")
    clock.advance(minutes=20)
    record(objects, subject, "new")

    assert sorted(event["message"] for event in listed(objects)) == ["kept up", "new"]


def test_too_many_events_cost_the_oldest() -> None:
    def event(number: int) -> Object:
        seen = f"2026-03-01T11:{number // 60 % 60:02}:{number % 60:02}Z"
        return {"metadata": {"name": str(number), "creationTimestamp": seen}, "lastTimestamp": seen}

    events = [event(number % 3000) for number in range(EVENT_LIMIT + 2)]
    gone = expired_events(events, NOON)

    assert [each["lastTimestamp"] for each in gone] == ["2026-03-01T11:00:00Z"] * 2


def test_times_of_other_clients_may_be_malformed() -> None:
    event: Object = {
        "metadata": {"name": "e", "creationTimestamp": "2026-03-01T11:59:00Z"},
        "lastTimestamp": "yesterday",
    }

    assert expired_events([event], NOON) == []
