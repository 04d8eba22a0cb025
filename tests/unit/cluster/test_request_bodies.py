"""Bodies of the writes that are sent."""

from selfheal_core.cluster.kubernetes import requests

NOW = 1_760_000_000.25


def test_an_eviction_names_exactly_one_pod() -> None:
    body = requests.eviction("payments", "web-1", uid="u1", dry_run=True, grace_seconds=0)
    assert body["apiVersion"] == "policy/v1"
    assert body["metadata"] == {"name": "web-1", "namespace": "payments"}
    assert body["deleteOptions"]["preconditions"] == {"uid": "u1"}
    assert body["deleteOptions"]["dryRun"] == ["All"]
    assert body["deleteOptions"]["gracePeriodSeconds"] == 0
    assert "dryRun" not in requests.eviction("payments", "web-1", uid="u1")["deleteOptions"]


def test_delete_options_carry_preconditions_only_when_given() -> None:
    assert requests.delete_options() == {"apiVersion": "v1", "kind": "DeleteOptions"}
    assert requests.delete_options(resource_version="7")["preconditions"] == {"resourceVersion": "7"}


def test_a_restart_sets_kubectl_s_annotation() -> None:
    patch = requests.restart_patch(NOW, resource_version="9")
    annotations = patch["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/restartedAt": "2025-10-09T08:53:20Z"}
    assert patch["metadata"] == {"resourceVersion": "9"}
    assert "metadata" not in requests.restart_patch(NOW)


def test_a_lease_s_times_are_utc_with_six_decimals() -> None:
    body = requests.lease(
        "payments", "selfheal-op-web", holder="me", duration_seconds=30, acquired_at=NOW, renewed_at=1_760_000_001
    )
    assert body["spec"]["acquireTime"] == "2025-10-09T08:53:20.250000Z"
    assert body["spec"]["renewTime"] == "2025-10-09T08:53:21.000000Z"
    assert "resourceVersion" not in body["metadata"]


def test_an_event_s_message_fits_the_api() -> None:
    involved = {"kind": "Pod", "namespace": "payments", "name": "web-1", "uid": "u1"}
    body = requests.event(
        involved=involved, reason="SelfhealHeld", message="x" * 5000, component="healerd", instance="i", now=NOW
    )
    assert len(body["message"]) == 1024
    assert body["metadata"] == {"generateName": "web-1.", "namespace": "payments"}
    assert body["involvedObject"] == involved
    assert body["reportingComponent"] == body["source"]["component"] == "healerd"


def test_a_review_leaves_out_what_is_empty() -> None:
    class Access:
        verb, group, resource, subresource = "create", "", "pods", "eviction"

    body = requests.access_review(Access(), "payments")
    assert body["spec"]["resourceAttributes"] == {
        "verb": "create",
        "resource": "pods",
        "subresource": "eviction",
        "namespace": "payments",
    }
