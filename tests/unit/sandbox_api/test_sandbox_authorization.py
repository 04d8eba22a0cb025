"""Requests of people who may not do everything: refusals, reviews, impersonation, and what they may give to others."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfheal_sandbox.rbac.policy import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS
from selfheal_sandbox.store.objects import Object
from tests.contract.api import Answer
from tests.unit.sandbox_api.bodies import config_map
from tests.unit.sandbox_api.conftest import HEALERD_TOKEN, Server, serving

RBAC = "rbac.authorization.k8s.io"
RBAC_PATH = f"/apis/{RBAC}/v1"
ACCESS = "/apis/authorization.k8s.io/v1"
NS = "/api/v1/namespaces/default"
MAPS = f"{NS}/configmaps"
BOB = {"Impersonate-User": "bob"}


def grant(server: Server, user: str, role: str, namespace: str = "", name: str = "") -> None:
    """Bind a ClusterRole to a user."""
    body = {
        "metadata": {"name": name or f"{user}-{role}"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }
    server.objects.create(ROLE_BINDINGS if namespace else CLUSTER_ROLE_BINDINGS, namespace, body)


def define(server: Server, name: str, *rules: Object) -> None:
    server.objects.create(CLUSTER_ROLES, "", {"metadata": {"name": name}, "rules": list(rules)})


def rule(group: str, resources: list[str], verbs: list[str], **more: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **more}


@pytest.fixture
async def account() -> AsyncIterator[Server]:
    """A server, and a client of it that is a service account without any role."""
    async with serving(token=HEALERD_TOKEN) as started:
        yield started


WHO = 'User "system:serviceaccount:shop:healerd" cannot'


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            f"{NS}/pods",
            f'pods is forbidden: {WHO} list resource "pods" in API group "" in the namespace "default"',
        ),
        ("GET", "/api/v1/pods", f'pods is forbidden: {WHO} list resource "pods" in API group "" at the cluster scope'),
        (
            "GET",
            "/apis/apps/v1/namespaces/shop/deployments/web",
            f'deployments.apps "web" is forbidden: {WHO} get resource "deployments" in API group "apps" in the '
            'namespace "shop"',
        ),
        (
            "POST",
            f"{NS}/pods/p/eviction",
            f'pods "p" is forbidden: {WHO} create resource "pods/eviction" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/namespaces/shop",
            f'namespaces "shop" is forbidden: {WHO} get resource "namespaces" in API group "" in the namespace "shop"',
        ),
        ("GET", "/metrics", f'forbidden: {WHO} get path "/metrics"'),
    ],
)
async def test_a_refusal_is_worded_as_on_a_cluster(account: Server, method: str, path: str, message: str) -> None:
    answer = await account.ask(method, path)

    assert (answer.code, answer.json["reason"], answer.json["message"]) == (403, "Forbidden", message)


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", f"{NS}/pods?watch=true", "watch pods"),
        ("GET", "/api/v1/watch/namespaces/default/pods", "watch pods"),
        ("GET", f"{NS}/pods/p/log", "get pods/log"),
        ("GET", f"{NS}/pods/p/exec", "get pods/exec"),
        ("POST", f"{NS}/pods/p/exec", "create pods/exec"),
        ("POST", f"{NS}/pods/p/portforward", "create pods/portforward"),
        ("GET", f"{NS}/services/s:80/proxy/metrics", "get services/proxy"),
        ("POST", f"{NS}/pods/p:80/proxy/crash", "create pods/proxy"),
        ("PATCH", "/apis/apps/v1/namespaces/default/deployments/d/scale", "patch deployments/scale"),
        ("PUT", f"{NS}/pods/p/status", "update pods/status"),
        ("DELETE", f"{NS}/pods", "deletecollection pods"),
        ("DELETE", f"{NS}/pods/p", "delete pods"),
        ("PUT", "/api/v1/namespaces/shop/finalize", "update namespaces/finalize"),
        ("GET", "/apis/metrics.k8s.io/v1beta1/nodes", "list nodes"),
        ("POST", f"{NS}/serviceaccounts/default/token", "create serviceaccounts/token"),
        ("POST", f"{ACCESS}/subjectaccessreviews", "create subjectaccessreviews"),
    ],
)
async def test_every_request_is_checked_as_what_it_is(account: Server, method: str, path: str, wanted: str) -> None:
    answer = await account.ask(method, path)

    verb, resource = wanted.split()
    assert answer.code == 403
    assert f'cannot {verb} resource "{resource}"' in answer.json["message"]


async def test_refused_requests_do_nothing(account: Server) -> None:
    before = account.objects.store.revision

    assert (await account.post(MAPS, config_map("c"))).code == 403
    assert (await account.ask("DELETE", f"{NS}/serviceaccounts/default")).code == 403
    assert account.objects.store.revision == before


async def test_a_stream_into_a_pod_by_get_takes_the_right_to_create_it_too(account: Server) -> None:
    user = "system:serviceaccount:shop:healerd"
    define(account, "looker", rule("", ["pods/exec"], ["get"]))
    grant(account, user, "looker")
    refused = await account.get(f"{NS}/pods/p/exec", command="id")
    define(account, "doer", rule("", ["pods/exec"], ["create"]))
    grant(account, user, "doer")

    assert 'cannot create resource "pods/exec"' in refused.json["message"]
    assert (await account.get(f"{NS}/pods/p/exec", command="id")).code == 404, "allowed, but there is no such pod"


async def test_everybody_finds_out_what_there_is_and_who_they_are(account: Server) -> None:
    for path in ("/api", "/apis", "/apis/apps", "/apis/apps/v1", "/api/v1", "/openapi/v3", "/version", "/readyz"):
        assert (await account.get(path)).code == 200, path
    review = await account.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert review.json["status"]["userInfo"]["username"] == "system:serviceaccount:shop:healerd"


async def test_a_rule_about_named_objects_covers_lists_of_that_name(server: Server) -> None:
    define(server, "one", rule("", ["configmaps"], ["*"], resourceNames=["c"]))
    grant(server, "bob", "one")
    await server.post(MAPS, config_map("c"))
    await server.post(MAPS, config_map("d"))

    async def code(path: str, **query: str) -> int:
        return (await server.get(path, headers=BOB, **query)).code

    assert await code(f"{MAPS}/c") == 200
    assert await code(f"{MAPS}/d") == 403
    assert await code(MAPS) == 403
    assert await code(MAPS, fieldSelector="metadata.name=c") == 200
    assert await code(MAPS, fieldSelector="metadata.name==c,metadata.namespace=default") == 200
    assert await code(MAPS, fieldSelector="metadata.name=d") == 403
    assert await code(MAPS, fieldSelector="metadata.name!=c") == 403
    assert (await server.post(MAPS, config_map("c"), headers=BOB)).code == 403, "a name cannot be bound to create"
    emptied = await server.delete(MAPS, headers=BOB, fieldSelector="metadata.name=c")
    assert emptied.code == 403, "a name cannot be bound to deletecollection"


async def allowed(server: Server, path: str, spec: Object, headers: dict[str, str] | None = None) -> Object:
    answer = await server.post(f"{ACCESS}/{path}", {"spec": spec}, headers=headers)
    assert answer.code == 201, answer.json
    status: Object = answer.json["status"]
    return status


async def test_reviews_answer_what_requests_would(server: Server) -> None:
    grant(server, "bob", "view", "default")
    pods = {"verb": "list", "resource": "pods", "namespace": "default"}
    secrets = {**pods, "resource": "secrets"}
    reason = 'RBAC: allowed by RoleBinding "bob-view/default" of ClusterRole "view" to User "bob"'
    may, may_not = {"allowed": True, "reason": reason}, {"allowed": False}

    assert await allowed(server, "selfsubjectaccessreviews", {"resourceAttributes": pods}, BOB) == may
    assert await allowed(server, "selfsubjectaccessreviews", {"resourceAttributes": secrets}, BOB) == may_not
    assert await allowed(server, "subjectaccessreviews", {"user": "bob", "resourceAttributes": pods}) == may
    assert await allowed(server, "subjectaccessreviews", {"user": "eve", "resourceAttributes": pods}) == may_not
    local = "namespaces/default/localsubjectaccessreviews"
    assert await allowed(server, local, {"user": "bob", "resourceAttributes": pods}) == may
    paths = {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}
    assert (await allowed(server, "selfsubjectaccessreviews", paths))["allowed"] is True
    assert (await allowed(server, "selfsubjectaccessreviews", paths, BOB))["allowed"] is False


async def test_the_list_of_rights_is_that_of_the_namespace(server: Server) -> None:
    grant(server, "bob", "view", "default")

    def verbs(status: Object, resource: str) -> list[str]:
        return next((rule["verbs"] for rule in status["resourceRules"] if resource in rule["resources"]), [])

    here = await allowed(server, "selfsubjectrulesreviews", {"namespace": "default"}, BOB)
    there = await allowed(server, "selfsubjectrulesreviews", {"namespace": "kube-system"}, BOB)
    admin = await allowed(server, "selfsubjectrulesreviews", {"namespace": "default"})

    assert (verbs(here, "pods"), verbs(there, "pods")) == (["get", "list", "watch"], [])
    assert verbs(there, "selfsubjectaccessreviews") == ["create"]
    assert any("/version" in rule["nonResourceURLs"] for rule in here["nonResourceRules"])
    assert (here["incomplete"], admin["resourceRules"][0]["verbs"]) == (False, ["*"])


@pytest.mark.parametrize(
    ("path", "spec", "code"),
    [
        ("selfsubjectaccessreviews", {}, 422),
        ("selfsubjectaccessreviews", {"resourceAttributes": {}, "nonResourceAttributes": {}}, 422),
        ("subjectaccessreviews", {"resourceAttributes": {"verb": "get"}}, 422),
        ("selfsubjectrulesreviews", {}, 400),
        (
            "namespaces/default/localsubjectaccessreviews",
            {"user": "bob", "resourceAttributes": {"namespace": "other"}},
            400,
        ),
        ("localsubjectaccessreviews", {"user": "bob", "resourceAttributes": {}}, 404),
    ],
)
async def test_reviews_that_ask_nothing_are_refused(server: Server, path: str, spec: Object, code: int) -> None:
    assert (await server.post(f"{ACCESS}/{path}", {"spec": spec})).code == code
    assert (await server.get(f"{ACCESS}/selfsubjectaccessreviews")).code == 405


async def whoami(server: Server, headers: dict[str, str]) -> Answer:
    return await server.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=headers)


async def test_an_impersonated_user_has_its_own_rights_and_no_other(server: Server) -> None:
    user = (await whoami(server, BOB)).json["status"]["userInfo"]
    account = await whoami(server, {"Impersonate-User": "system:serviceaccount:shop:web"})

    assert user == {"username": "bob", "groups": ["system:authenticated"]}
    assert account.json["status"]["userInfo"]["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:shop",
        "system:authenticated",
    ]
    assert (await server.get(f"{NS}/pods", headers=BOB)).code == 403
    grant(server, "bob", "view")
    assert (await server.get(f"{NS}/pods", headers=BOB)).code == 200


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (BOB, f'users "bob" is forbidden: {WHO} impersonate resource "users" in API group "" at the cluster scope'),
        (
            {"Impersonate-User": "system:serviceaccount:a:b"},
            f'serviceaccounts "b" is forbidden: {WHO} impersonate resource "serviceaccounts" in API group "" in the '
            'namespace "a"',
        ),
    ],
)
async def test_impersonation_is_a_right(account: Server, headers: dict[str, str], message: str) -> None:
    answer = await whoami(account, headers)

    assert (answer.code, answer.json["message"]) == (403, message)


async def test_groups_are_impersonated_each_by_its_own_right(account: Server) -> None:
    define(account, "actor", rule("", ["users"], ["impersonate"]))
    grant(account, "system:serviceaccount:shop:healerd", "actor")
    masters = {**BOB, "Impersonate-Group": "system:masters"}

    assert (await whoami(account, BOB)).code == 201
    assert (await whoami(account, masters)).code == 403
    assert (await whoami(account, {"Impersonate-Group": "dev"})).code == 400
    assert (await whoami(account, {**BOB, "Impersonate-Uid": "1"})).code == 403
    assert (await whoami(account, {**BOB, "Impersonate-Extra-scopes": "x"})).code == 400


def role_body(*rules: Object, **more: object) -> Object:
    return {"kind": "ClusterRole", "metadata": {"name": "new"}, "rules": list(rules), **more}


async def test_a_role_writer_without_escalate_is_held_to_its_own_rights(server: Server) -> None:
    write = ["get", "create", "update", "patch"]
    define(server, "writer", rule(RBAC, ["clusterroles", "roles", "clusterrolebindings", "rolebindings"], write))
    grant(server, "bob", "writer")
    grant(server, "bob", "view")
    path = f"{RBAC_PATH}/clusterroles"
    more = rule("", ["secrets", "pods"], ["get", "list"])

    assert (await server.post(path, role_body(rule("", ["pods"], ["list"])), headers=BOB)).code == 201
    labelled = await server.patch(f"{path}/new", {"metadata": {"labels": {"a": "b"}}}, headers=BOB)
    refused = await server.patch(f"{path}/new", {"rules": [more]}, headers=BOB)
    everything = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    aggregate = await server.patch(f"{path}/new", everything, headers=BOB)

    assert (labelled.code, refused.code, aggregate.code) == (200, 403, 403)
    assert refused.json["message"] == (
        'clusterroles.rbac.authorization.k8s.io "new" is forbidden: user "bob" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )
    assert "must have cluster-admin privileges to use the aggregationRule" in aggregate.json["message"]
    loosened = await server.patch(f"{path}/view", {"aggregationRule": None}, headers=BOB)
    assert (loosened.code, loosened.json["message"]) == (403, aggregate.json["message"].replace('"new"', '"view"'))
    assert server.objects.get(CLUSTER_ROLES, "", "new")["rules"] == [rule("", ["pods"], ["list"])]


async def test_whatever_is_written_to_a_role_takes_the_rights_in_it_but_for_what_deletes_it(server: Server) -> None:
    define(server, "writer", rule(RBAC, ["clusterroles"], ["patch"]))
    grant(server, "bob", "writer")
    path = f"{RBAC_PATH}/clusterroles/edit"
    assert (await server.patch(path, {"metadata": {"labels": {"a": "b"}}}, headers=BOB)).code == 403
    assert (await server.patch(path, {"metadata": {"finalizers": ["example.org/a"]}}, headers=BOB)).code == 200


def binding_body(role: str, kind: str = "ClusterRoleBinding") -> Object:
    return {
        "kind": kind,
        "metadata": {"name": "new"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "bob"}],
    }


async def test_a_binding_gives_no_more_than_its_writer_has(server: Server) -> None:
    define(server, "writer", rule(RBAC, ["clusterrolebindings", "rolebindings"], ["create"]))
    grant(server, "bob", "writer")
    grant(server, "bob", "view", "default")
    everywhere, here = f"{RBAC_PATH}/clusterrolebindings", f"{RBAC_PATH}/namespaces/default/rolebindings"

    assert (await server.post(everywhere, binding_body("cluster-admin"), headers=BOB)).code == 403
    assert (await server.post(everywhere, binding_body("view"), headers=BOB)).code == 403, "he has it in a namespace"
    assert (await server.post(everywhere, binding_body("none"), headers=BOB)).code == 404
    assert (await server.post(here, binding_body("edit", "RoleBinding"), headers=BOB)).code == 403
    assert (await server.post(here, binding_body("view", "RoleBinding"), headers=BOB)).code == 201


async def test_bind_and_escalate_are_rights_of_their_own(server: Server) -> None:
    define(
        server,
        "giver",
        rule(RBAC, ["clusterrolebindings", "clusterroles"], ["create"]),
        rule(RBAC, ["clusterroles"], ["bind"], resourceNames=["edit"]),
        rule(RBAC, ["clusterroles"], ["escalate"]),
    )
    grant(server, "bob", "giver")
    path = f"{RBAC_PATH}/clusterrolebindings"

    assert (await server.post(path, binding_body("admin"), headers=BOB)).code == 403
    assert (await server.post(path, binding_body("edit"), headers=BOB)).code == 201
    assert (await server.post(f"{RBAC_PATH}/clusterroles", role_body(rule("*", ["*"], ["*"])), headers=BOB)).code == 201


async def test_escalate_bound_to_a_name_covers_no_new_role(server: Server) -> None:
    define(
        server,
        "editor",
        rule(RBAC, ["clusterroles"], ["create", "patch"]),
        rule(RBAC, ["clusterroles"], ["escalate"], resourceNames=["new", "view"]),
    )
    grant(server, "bob", "editor")
    path, more = f"{RBAC_PATH}/clusterroles", rule("", ["secrets"], ["get"])
    assert (await server.post(path, role_body(more), headers=BOB)).code == 403
    assert (await server.patch(f"{path}/view", {"metadata": {"labels": {"a": "b"}}}, headers=BOB)).code == 200


async def test_an_apply_that_creates_takes_the_right_to_create(server: Server) -> None:
    define(server, "patcher", rule("", ["configmaps"], ["patch"]))
    grant(server, "bob", "patcher")
    body = {**config_map("c"), "apiVersion": "v1", "kind": "ConfigMap"}

    refused = await server.apply(f"{MAPS}/c", body, "bob", headers=BOB)
    await server.post(MAPS, config_map("c"))
    changed = await server.apply(f"{MAPS}/c", body, "bob", headers=BOB, force="true")

    assert (refused.code, changed.code) == (403, 200)
    assert 'User "bob" cannot create resource "configmaps"' in refused.json["message"]


async def test_the_request_log_tells_in_whose_name_a_request_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    async with serving(request_log=path) as server:
        await server.get(MAPS)
        await server.get(MAPS, headers=BOB)
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert [(line["user"], line.get("impersonatedUser")) for line in lines] == [("admin", None), ("admin", "bob")]
