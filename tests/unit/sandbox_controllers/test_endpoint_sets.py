"""The contents of Endpoints and EndpointSlices."""

from typing import Any

import pytest

from selfheal_sandbox.controllers.endpoint_sets import backends, facts, slices, subsets


def pod(
    name: str, ip: str | None = "127.64.0.1", *, ready: bool = True, leaving: bool = False, port: int = 8080
) -> Any:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": "web"}}
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    ports = [{"name": "http", "containerPort": port, "protocol": "TCP"}]
    status = {"phase": "Running", "conditions": conditions, **({"podIP": ip} if ip else {})}
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": [{"ports": ports}]}, "status": status}


def service(**spec: Any) -> Any:
    body = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}], **spec}
    return {"metadata": {"name": "web", "uid": "svc", "labels": {"team": "a"}}, "spec": body}


def endpoints(made: dict[str, Any]) -> list[Any]:
    return [each for one in made.values() for each in one["endpoints"]]


def test_ready_and_unready_pods_are_told_apart() -> None:
    found = backends(service(), [pod("b", "127.64.0.2", ready=False), pod("a")])
    (subset,) = subsets(found)
    assert [each["ip"] for each in subset["addresses"]] == ["127.64.0.1"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == ["127.64.0.2"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert subset["addresses"][0]["targetRef"] == {
        "kind": "Pod",
        "namespace": "default",
        "name": "a",
        "uid": "uid-a",
    }


def test_leaving_pod_is_in_no_subset_and_not_ready_but_serving_in_its_slice() -> None:
    found = backends(service(), [pod("a", leaving=True)])
    assert subsets(found) == []
    (endpoint,) = endpoints(slices(service(), found))
    assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_service_may_publish_unready_addresses() -> None:
    found = backends(service(publishNotReadyAddresses=True), [pod("a", ready=False)])
    assert subsets(found)[0]["addresses"][0]["ip"] == "127.64.0.1"


@pytest.mark.parametrize("absent", [pod("a", ip=None), {**pod("a"), "metadata": {"name": "a", "labels": {}}}])
def test_pods_without_address_or_label_do_not_count(absent: Any) -> None:
    assert backends(service(), [absent]) == []


def test_finished_pod_does_not_count() -> None:
    done = pod("a")
    done["status"]["phase"] = "Succeeded"
    assert backends(service(), [done]) == []


def test_named_ports_are_looked_up_in_each_pod() -> None:
    found = backends(service(), [pod("a"), pod("b", "127.64.0.2", port=9090)])
    made = slices(service(), found)
    assert sorted(one["ports"][0]["port"] for one in made.values()) == [8080, 9090]
    assert len(subsets(found)) == 2


@pytest.mark.parametrize(("target", "expected"), [(9000, 9000), ("9001", 9001), (None, 80), ("nothing", None)])
def test_target_port_as_number_text_default_and_unknown_name(target: Any, expected: int | None) -> None:
    port = {"port": 80, **({} if target is None else {"targetPort": target})}
    (found,) = backends(service(ports=[port]), [pod("a")])
    assert [number for _, number, _ in found.ports] == ([] if expected is None else [expected])


def test_slices_hold_at_most_a_hundred_endpoints_and_keep_their_names() -> None:
    pods = [pod(f"p{index:03}", f"127.64.0.{index + 1}") for index in range(150)]
    made = slices(service(), backends(service(), pods))
    assert sorted(len(one["endpoints"]) for one in made.values()) == [50, 100]
    assert made.keys() == slices(service(), backends(service(), pods[:120])).keys()


def test_slice_carries_the_labels_that_find_it() -> None:
    (one,) = slices(service(), []).values()
    assert one["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    (headless,) = slices(service(clusterIP="None"), []).values()
    assert "service.kubernetes.io/headless" in headless["labels"]


def test_restarts_and_waiting_reasons_are_no_facts_about_endpoints() -> None:
    crashing = pod("a", ready=False)
    later = pod("a", ready=False)
    later["status"]["containerStatuses"] = [{"restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    assert facts(crashing) == facts(later)
    assert facts(crashing) != facts(pod("a", ready=True))
    assert facts(crashing) != facts(pod("a", ready=False, leaving=True))
