"""Who may do what: refusals in the API server's words, roles, bindings, reviews, tokens; as users without roles."""

import uuid
from collections.abc import AsyncIterator

import pytest

from tests.contract.api import Api, eventually

RBAC = "rbac.authorization.k8s.io"
ACCESS = "/apis/authorization.k8s.io/v1"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
WHOAMI_BODY = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


@pytest.fixture
def user() -> dict[str, str]:
    """Headers of a request in the name of a user that has no roles yet."""
    return {"Impersonate-User": f"contract-{uuid.uuid4().hex[:8]}"}


@pytest.fixture
def rbac(namespace: str) -> str:
    return f"/apis/{RBAC}/v1/namespaces/{namespace}"


def binding(name: str, user: dict[str, str], role: str, kind: str = "ClusterRole") -> dict[str, object]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user["Impersonate-User"]}],
    }


def role(name: str, *rules: dict[str, list[str]], kind: str = "Role", **metadata: object) -> dict[str, object]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "rules": list(rules),
    }


def review(user: dict[str, str], namespace: str, verb: str, resource: str) -> dict[str, object]:
    about = {"namespace": namespace, "verb": verb, "resource": resource}
    spec = {"user": user["Impersonate-User"], "resourceAttributes": about}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


async def until_code(api: Api, path: str, code: int, headers: dict[str, str]) -> None:
    """Ask until the answer has a code: a cluster takes a moment to learn of roles."""

    async def has_code() -> bool:
        return (await api.get(path, headers=headers)).code == code

    await eventually(has_code)


async def test_refusals_are_worded_alike(api: Api, core: str, namespace: str, user: dict[str, str]) -> None:
    who = f'User "{user["Impersonate-User"]}" cannot'
    place = f'in the namespace "{namespace}"'
    for method, path, message in (
        ("GET", f"{core}/pods", f'pods is forbidden: {who} list resource "pods" in API group "" {place}'),
        (
            "GET",
            "/api/v1/nodes",
            f'nodes is forbidden: {who} list resource "nodes" in API group "" at the cluster scope',
        ),
        ("DELETE", f"{core}/pods/p", f'pods "p" is forbidden: {who} delete resource "pods" in API group "" {place}'),
        (
            "GET",
            f"{core}/pods/p/log",
            f'pods "p" is forbidden: {who} get resource "pods/log" in API group "" {place}',
        ),
        (
            "GET",
            f"/apis/apps/v1/namespaces/{namespace}/deployments?watch=true",
            f'deployments.apps is forbidden: {who} watch resource "deployments" in API group "apps" {place}',
        ),
        (
            "GET",
            f"/api/v1/namespaces/{namespace}",
            f'namespaces "{namespace}" is forbidden: {who} get resource "namespaces" in API group "" {place}',
        ),
        ("GET", "/metrics", f'forbidden: {who} get path "/metrics"'),
    ):
        answer = await api.ask(method, path, headers=user)
        assert (answer.code, answer.json["reason"], answer.json["message"]) == (403, "Forbidden", message)


async def test_the_built_in_roles_reach_where_they_are_bound(
    api: Api, core: str, rbac: str, namespace: str, user: dict[str, str]
) -> None:
    name = user["Impersonate-User"]
    (await api.post(f"{rbac}/rolebindings", binding(name, user, "view"))).expect(201)

    await until_code(api, f"{core}/pods", 200, user)
    assert (await api.get(f"{core}/secrets", headers=user)).code == 403
    assert (await api.get("/api/v1/pods", headers=user)).code == 403
    status = (await api.post(f"{ACCESS}/subjectaccessreviews", review(user, namespace, "list", "pods"))).json["status"]
    assert status == {
        "allowed": True,
        "reason": f'RBAC: allowed by RoleBinding "{name}/{namespace}" of ClusterRole "view" to User "{name}"',
    }
    refused = await api.post(f"{ACCESS}/subjectaccessreviews", review(user, namespace, "list", "secrets"))
    assert refused.json["status"]["allowed"] is False


async def test_names_bind_what_is_got_and_what_is_listed_by_name(
    api: Api, core: str, rbac: str, user: dict[str, str]
) -> None:
    name = user["Impersonate-User"]
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["mine"],
        "verbs": ["get", "list"],
    }
    (await api.post(f"{rbac}/roles", role(name, rule))).expect(201)
    (await api.post(f"{rbac}/rolebindings", binding(name, user, name, "Role"))).expect(201)

    await until_code(api, f"{core}/configmaps/mine", 404, user)
    assert (await api.get(f"{core}/configmaps/other", headers=user)).code == 403
    assert (await api.get(f"{core}/configmaps", headers=user)).code == 403
    assert (await api.get(f"{core}/configmaps", headers=user, fieldSelector="metadata.name=mine")).code == 200


@pytest.fixture
async def aggregated(api: Api) -> AsyncIterator[str]:
    """The name of a ClusterRole that is part of ``view`` and about a kind that nobody has."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    rule = {"apiGroups": [f"{name}.example.org"], "resources": ["things"], "verbs": ["get"]}
    label = {f"{RBAC}/aggregate-to-view": "true"}
    body = role(name, rule, kind="ClusterRole", labels=label)
    (await api.post(f"/apis/{RBAC}/v1/clusterroles", body)).expect(201)
    yield name
    await api.delete(f"/apis/{RBAC}/v1/clusterroles/{name}")


async def test_labelled_roles_become_part_of_the_built_in_ones(api: Api, aggregated: str) -> None:
    async def admin_has_it() -> bool:
        rules = (await api.get(f"/apis/{RBAC}/v1/clusterroles/admin")).json["rules"]
        return any(rule.get("apiGroups") == [f"{aggregated}.example.org"] for rule in rules)

    await eventually(admin_has_it)


async def test_nobody_gives_what_they_do_not_have(api: Api, rbac: str, user: dict[str, str]) -> None:
    name = user["Impersonate-User"]
    (await api.post(f"{rbac}/rolebindings", binding(name, user, "admin"))).expect(201)
    await until_code(api, f"{rbac}/roles", 200, user)
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}

    refused = await api.post(f"{rbac}/roles", role(f"{name}-nodes", nodes), headers=user)
    bound = await api.post(f"{rbac}/rolebindings", binding(f"{name}-all", user, "cluster-admin"), headers=user)
    allowed = await api.post(f"{rbac}/rolebindings", binding(f"{name}-view", user, "view"), headers=user)

    assert (refused.code, bound.code, allowed.code) == (403, 403, 201)
    assert refused.json["message"] == (
        f'roles.{RBAC} "{name}-nodes" is forbidden: user "{name}" (groups=["system:authenticated"]) is attempting to '
        'grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}'
    )
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in bound.json["message"]


async def test_whoever_has_no_roles_may_still_ask_who_they_are(api: Api, namespace: str, user: dict[str, str]) -> None:
    who = (await api.post(WHOAMI, WHOAMI_BODY, headers=user)).expect(201)["status"]["userInfo"]
    rules_review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    rules = (await api.post(f"{ACCESS}/selfsubjectrulesreviews", rules_review, headers=user)).expect(201)["status"]

    assert (who["username"], who["groups"]) == (user["Impersonate-User"], ["system:authenticated"])
    assert any("selfsubjectaccessreviews" in rule["resources"] for rule in rules["resourceRules"])
    assert (await api.get("/apis", headers=user)).code == 200


async def test_a_token_that_was_asked_for_is_the_accounts(api: Api, core: str, namespace: str) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    made = (await api.post(f"{core}/serviceaccounts/default/token", body)).expect(201)

    review_body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": made["status"]["token"]},
    }
    status = (await api.post("/apis/authentication.k8s.io/v1/tokenreviews", review_body)).expect(201)["status"]
    assert status["authenticated"] is True
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert f"system:serviceaccounts:{namespace}" in status["user"]["groups"]
    assert (await api.post(f"{core}/serviceaccounts/none/token", body)).code == 404
