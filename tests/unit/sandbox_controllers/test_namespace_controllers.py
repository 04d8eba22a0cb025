"""What every namespace has, and how one goes."""

from selfheal_sandbox.controllers.keys import CONFIG_MAPS, NAMESPACES, PODS, SERVICE_ACCOUNTS
from selfheal_sandbox.store.objects import status_of, with_metadata
from tests.unit.sandbox_controllers.cluster import Cluster, deployment, start_cluster, template

ROOT = "kube-root-ca.crt"


def make(cluster: Cluster, name: str = "team") -> None:
    cluster.objects.create(NAMESPACES, "", {"metadata": {"name": name}})


async def test_namespace_gets_its_account_and_certificate(cluster: Cluster) -> None:
    make(cluster)
    found = await cluster.eventually(lambda: cluster.objects.store.get(CONFIG_MAPS, "team", ROOT))
    assert found["data"] == {"ca.crt": "PEM"}
    assert cluster.objects.store.get(SERVICE_ACCOUNTS, "team", "default") is not None


async def test_account_and_certificate_come_back(cluster: Cluster) -> None:
    await cluster.eventually(lambda: cluster.objects.store.get(CONFIG_MAPS, "default", ROOT))
    cluster.objects.delete(SERVICE_ACCOUNTS, "default", "default")
    cluster.objects.update(CONFIG_MAPS, "default", ROOT, lambda old: {**old, "data": {"ca.crt": "forged"}})
    await cluster.eventually(lambda: cluster.objects.store.get(SERVICE_ACCOUNTS, "default", "default"))
    await cluster.eventually(lambda: cluster.objects.get(CONFIG_MAPS, "default", ROOT)["data"] == {"ca.crt": "PEM"})


async def test_deleted_namespace_takes_everything_with_it() -> None:
    cluster = start_cluster(stop_seconds=0.03)
    async with cluster.controllers:
        make(cluster)
        cluster.objects.create(("apps", "deployments"), "team", deployment())
        await cluster.eventually(lambda: len(cluster.objects.store.list(PODS, "team")) == 3)
        cluster.objects.delete(NAMESPACES, "", "team")
        await cluster.eventually(lambda: cluster.objects.store.get(NAMESPACES, "", "team") is None)
        left = [key for key in cluster.objects.store.keys() if cluster.objects.store.list(key, "team")]  # noqa: SIM118
        assert left == []


async def test_namespace_that_waits_says_for_what(cluster: Cluster) -> None:
    make(cluster)
    metadata = {"name": "stuck", "finalizers": ["example.org/wait"]}
    cluster.objects.create(CONFIG_MAPS, "team", {"metadata": metadata})
    cluster.objects.delete(NAMESPACES, "", "team")
    namespace = cluster.objects.get(NAMESPACES, "", "team")
    await cluster.eventually(lambda: status_of(cluster.objects.get(NAMESPACES, "", "team")).get("conditions"))
    namespace = cluster.objects.get(NAMESPACES, "", "team")
    messages = {each["type"]: each["message"] for each in namespace["status"]["conditions"]}
    assert namespace["status"]["phase"] == "Terminating"
    assert "configmaps has 1 resource instances" in messages["NamespaceContentRemaining"]
    assert "example.org/wait in 1 resource instances" in messages["NamespaceFinalizersRemaining"]
    cluster.objects.update(CONFIG_MAPS, "team", "stuck", lambda old: with_metadata(old, finalizers=None))
    await cluster.eventually(lambda: cluster.objects.store.get(NAMESPACES, "", "team") is None)


async def test_workload_created_just_before_the_namespace_goes_does_not_retry_for_ever(cluster: Cluster) -> None:
    make(cluster)
    cluster.objects.create(("apps", "deployments"), "team", deployment(template=template()))
    cluster.objects.delete(NAMESPACES, "", "team")
    await cluster.eventually(lambda: cluster.objects.store.get(NAMESPACES, "", "team") is None)
    await cluster.settle()
    assert cluster.controllers.counters["deployment"].errors == 0
    assert cluster.controllers.counters["replicaset"].errors == 0
