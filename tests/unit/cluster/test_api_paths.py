"""Paths of the Kubernetes API: built as kubectl -v8 shows them, escaped, and read back."""

import pytest

from selfheal_core.cluster.kubernetes import paths
from selfheal_core.errors import BadUsage


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"api_version": "v1", "resource": "pods"}, "/api/v1/pods"),
        ({"api_version": "v1", "resource": "pods", "namespace": "ns"}, "/api/v1/namespaces/ns/pods"),
        (
            {"api_version": "v1", "resource": "pods", "namespace": "ns", "name": "p", "subresource": "eviction"},
            "/api/v1/namespaces/ns/pods/p/eviction",
        ),
        ({"api_version": "v1", "resource": "nodes", "name": "n1"}, "/api/v1/nodes/n1"),
        (
            {
                "api_version": "apps/v1",
                "resource": "deployments",
                "namespace": "x",
                "name": "y",
                "subresource": "scale",
            },
            "/apis/apps/v1/namespaces/x/deployments/y/scale",
        ),
        ({"api_version": "apps/v1", "resource": "replicasets"}, "/apis/apps/v1/replicasets"),
        ({"api_version": "v1", "resource": "namespaces", "name": "x"}, "/api/v1/namespaces/x"),
    ],
)
def test_builds_the_path(arguments: dict[str, str], expected: str) -> None:
    api_version, resource = arguments.pop("api_version"), arguments.pop("resource")
    assert paths.path(api_version, resource, **arguments) == expected


def test_a_name_cannot_leave_its_place() -> None:
    assert paths.path("v1", "pods", namespace="ns", name="a/../../secrets/x") == (
        "/api/v1/namespaces/ns/pods/a%2F..%2F..%2Fsecrets%2Fx"
    )
    assert paths.path("v1", "pods", namespace="ns", name="a?watch=1#") == "/api/v1/namespaces/ns/pods/a%3Fwatch%3D1%23"


@pytest.mark.parametrize("name", [".", ".."])
def test_a_dot_segment_is_refused(name: str) -> None:
    with pytest.raises(BadUsage, match="is not a namespace"):
        paths.path("v1", "pods", namespace=name)
    with pytest.raises(BadUsage, match="is not a name"):
        paths.path("v1", "pods", namespace="x", name=name)


def test_reaches_a_pod_through_the_server() -> None:
    assert paths.pod_proxy("ns", "p-1", 8080, "/metrics") == "/api/v1/namespaces/ns/pods/p-1%3A8080/proxy/metrics"
    assert paths.pod_proxy("ns", "p", 80, "") == "/api/v1/namespaces/ns/pods/p%3A80/proxy/"


def test_a_proxied_path_cannot_climb_out_of_the_pod() -> None:
    with pytest.raises(BadUsage):
        paths.pod_proxy("ns", "p", 80, "../../../secrets")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/api/v1/pods", paths.ResourcePath("", "v1", "", "pods")),
        ("/api/v1/namespaces", paths.ResourcePath("", "v1", "", "namespaces")),
        ("/api/v1/namespaces/x", paths.ResourcePath("", "v1", "", "namespaces", "x")),
        (
            "/apis/apps/v1/namespaces/x/deployments/y/scale",
            paths.ResourcePath("apps", "v1", "x", "deployments", "y", "scale"),
        ),
        ("/apis/apps/v1/deployments?watch=true", paths.ResourcePath("apps", "v1", "", "deployments")),
        ("/version", paths.ResourcePath()),
        ("/apis", paths.ResourcePath()),
    ],
)
def test_reads_a_path_back(text: str, expected: paths.ResourcePath) -> None:
    assert paths.parse(text) == expected


def test_words_a_resource_as_kubectl_auth_can_i_takes_it() -> None:
    assert paths.parse("/apis/apps/v1/namespaces/x/deployments/y/scale").words == "deployments.apps/scale"
    assert paths.parse("/api/v1/pods").words == "pods"
