import pytest

from selfheal_sandbox.store.objects import Object
from tests.contract.api import MERGE_PATCH, Answer, Api, eventually
from tests.contract.bodies import deployment, pod


@pytest.mark.probe("sub.status_isolated")
async def test_status_and_spec_have_their_own_doors(api: Api, deployments: str) -> None:
    path = f"{deployments}/doors"
    (await api.post(deployments, deployment("doors"))).expect(201)
    both = {"spec": {"replicas": 9}, "status": {"replicas": 4, "observedGeneration": 1}}
    (await api.patch(f"{path}/status", both, MERGE_PATCH)).expect(200)
    assert (await api.get(path)).expect(200)["spec"]["replicas"] == 0

    (await api.patch(path, {"status": {"replicas": 77}}, MERGE_PATCH)).expect(200)
    assert (await api.get(path)).expect(200)["status"].get("replicas") != 77


@pytest.mark.probe("sub.scale_get")
async def test_a_scale_is_read(api: Api, deployments: str) -> None:
    (await api.post(deployments, deployment("scale-read"))).expect(201)
    scale = (await api.get(f"{deployments}/scale-read/scale")).expect(200)

    assert (scale["kind"], scale["spec"].get("replicas", 0)) == ("Scale", 0)
    assert scale["status"]["selector"] == "app=scale-read"


@pytest.mark.probe("sub.scale_put_patch")
async def test_a_scale_is_written(api: Api, deployments: str) -> None:
    path = f"{deployments}/scale-write"
    (await api.post(deployments, deployment("scale-write"))).expect(201)

    async def written() -> Answer | None:
        """Controllers write to the object too: a conflict means read again."""
        scale = (await api.get(f"{path}/scale")).expect(200)
        answer = await api.put(f"{path}/scale", {**scale, "spec": {"replicas": 1}})
        return None if answer.code == 409 else answer

    (await eventually(written)).expect(200)
    assert (await api.get(path)).expect(200)["spec"]["replicas"] == 1
    (await api.patch(f"{path}/scale", {"spec": {"replicas": 0}}, MERGE_PATCH)).expect(200)
    assert (await api.get(path)).expect(200)["spec"]["replicas"] == 0


@pytest.mark.probe("sub.binding")
async def test_a_binding_puts_a_pod_on_a_node(api: Api, core: str, absent_node: str) -> None:
    (await api.post(f"{core}/pods", pod("bound", schedulerName="nobody"))).expect(201)
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "bound"},
        "target": {"kind": "Node", "name": absent_node},
    }
    (await api.post(f"{core}/pods/bound/binding", body)).expect(201)

    assert (await api.get(f"{core}/pods/bound")).expect(200)["spec"]["nodeName"] == absent_node
    await api.delete(f"{core}/pods/bound", gracePeriodSeconds="0")


async def evict(api: Api, core: str, namespace: str, name: str) -> Answer:
    metadata = {"name": name, "namespace": namespace}
    body: Object = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    return await api.post(f"{core}/pods/{name}/eviction", body)


@pytest.mark.probe("sub.eviction_ok")
async def test_an_evicted_pod_goes(api: Api, core: str, namespace: str) -> None:
    (await api.post(f"{core}/pods", pod("evicted", terminationGracePeriodSeconds=1))).expect(201)
    (await evict(api, core, namespace, "evicted")).expect(201)

    async def gone() -> bool:
        return (await api.get(f"{core}/pods/evicted")).code == 404

    await eventually(gone, deadline_seconds=35)


@pytest.mark.probe("sub.eviction_pdb_429")
async def test_an_eviction_that_breaks_a_budget_has_to_wait(
    api: Api, core: str, namespace: str, absent_node: str
) -> None:
    (await api.post(f"{core}/pods", pod("guarded", {"pdb": "1"}, nodeName=absent_node))).expect(201)
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "budget"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"pdb": "1"}}},
    }
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    (await api.post(path, budget)).expect(201)
    ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    (await api.patch(f"{core}/pods/guarded/status", ready, MERGE_PATCH)).expect(200)

    async def observed() -> bool:
        status = (await api.get(f"{path}/budget")).expect(200).get("status") or {}
        return bool(status.get("observedGeneration") == 1 and status.get("currentHealthy") == 1)

    await eventually(observed)
    status = (await evict(api, core, namespace, "guarded")).expect(429)
    await api.delete(f"{core}/pods/guarded", gracePeriodSeconds="0")

    assert status["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
