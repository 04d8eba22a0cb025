"""The authorizer as a function: who may do what, by which binding, and what it costs to ask."""

import time
from collections.abc import Callable

import pytest

from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.rbac import bootstrap
from selfheal_sandbox.rbac.aggregation import aggregated_rules
from selfheal_sandbox.rbac.authorizer import Attributes, Decision, Grants, authorize, held_rules
from selfheal_sandbox.rbac.policy import CLUSTER_ROLES, Policy
from selfheal_sandbox.store.objects import Object
from tests.unit.sandbox_api.fakes import make_objects

ALICE = Identity("alice", ("dev", "system:authenticated"))
ACCOUNT = Identity("system:serviceaccount:shop:web", ("system:serviceaccounts", "system:serviceaccounts:shop"))
READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}


def role(kind: str, name: str, *rules: Object, namespace: str = "") -> Object:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "rules": list(rules)}


def binding(name: str, subject: Object, kind: str, role_name: str, namespace: str = "") -> Object:
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"kind": kind, "name": role_name},
        "subjects": [subject],
    }


def wants(user: Identity, verb: str = "list", namespace: str = "", **more: str) -> Attributes:
    return Attributes(user, verb, **{"resource": "pods", "namespace": namespace, **more})


USER, GROUP = {"kind": "User", "name": "alice"}, {"kind": "Group", "name": "dev"}
WEB = {"kind": "ServiceAccount", "name": "web"}
CLUSTER_ROLE = role("ClusterRole", "reader", READ_PODS)


@pytest.mark.parametrize(
    ("subject", "user"), [(USER, ALICE), (GROUP, ALICE), ({**WEB, "namespace": "shop"}, ACCOUNT)], ids=str
)
def test_a_cluster_role_binding_reaches_everywhere(subject: Object, user: Identity) -> None:
    grants = Grants([CLUSTER_ROLE], [binding("all", subject, "ClusterRole", "reader")])

    assert authorize(wants(user), grants).allowed
    assert authorize(wants(user, namespace="shop"), grants).allowed
    assert not authorize(wants(user, "delete", "shop"), grants).allowed
    assert not authorize(wants(Identity("bob")), grants).allowed


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_a_role_binding_reaches_its_namespace_only(kind: str) -> None:
    roles = [CLUSTER_ROLE, role("Role", "reader", READ_PODS, namespace="shop")]
    grants = Grants(roles, [binding("some", USER, kind, "reader", "shop")])

    assert authorize(wants(ALICE, namespace="shop"), grants).allowed
    assert not authorize(wants(ALICE, namespace="other"), grants).allowed
    assert not authorize(wants(ALICE), grants).allowed, "all namespaces are more than one"


def test_a_service_account_without_a_namespace_is_one_of_the_binding() -> None:
    grants = Grants([CLUSTER_ROLE], [binding("web", WEB, "ClusterRole", "reader", "shop")])

    assert authorize(wants(ACCOUNT, namespace="shop"), grants) == Decision(
        True, 'RBAC: allowed by RoleBinding "web/shop" of ClusterRole "reader" to ServiceAccount "web/shop"'
    )


def test_paths_are_granted_for_the_whole_cluster_only() -> None:
    paths = role("ClusterRole", "paths", {"nonResourceURLs": ["/metrics"], "verbs": ["get"]})
    everywhere = Grants([paths], [binding("b", USER, "ClusterRole", "paths")])
    somewhere = Grants([paths], [binding("b", USER, "ClusterRole", "paths", "shop")])
    wanted = Attributes(ALICE, "get", path="/metrics")

    assert authorize(wanted, everywhere).allowed
    assert not authorize(wanted, somewhere).allowed


def test_the_reason_names_what_allows_and_what_was_not_found() -> None:
    allowed = authorize(wants(ALICE), Grants([CLUSTER_ROLE], [binding("all", GROUP, "ClusterRole", "reader")]))
    lost = authorize(wants(ALICE), Grants([], [binding("all", GROUP, "ClusterRole", "reader")]))

    assert allowed.reason == 'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "reader" to Group "dev"'
    assert lost == Decision(False, 'RBAC: clusterrole.rbac.authorization.k8s.io "reader" not found')


def test_masters_need_no_role() -> None:
    master = Identity("root", ("system:masters",))

    assert authorize(wants(master, "escalate"), Grants([], [])).allowed
    assert not authorize(wants(ALICE), Grants([], [])).allowed


def test_the_built_in_roles_are_made_of_each_other() -> None:
    objects = make_objects()
    bootstrap.ensure(objects)
    grants = Policy(objects.store).grants()
    may = {
        name: {
            (verb, resource)
            for rule in grants.role({"kind": "ClusterRole", "name": name}, "") or ()
            for verb in rule.verbs
            for resource in rule.resources
        }
        for name in ("view", "edit", "admin")
    }

    assert may["view"] < may["edit"] < may["admin"]
    assert ("list", "pods") in may["view"]
    assert not {resource for _, resource in may["view"]} & {"secrets", "pods/exec", "roles"}
    assert {("create", "pods/eviction"), ("patch", "deployments"), ("list", "secrets")} <= may["edit"] - may["view"]
    assert ("create", "rolebindings") in may["admin"] - may["edit"]
    assert not {verb for verb, _ in may["view"]} - {"get", "list", "watch"}


def test_an_aggregated_role_follows_the_roles_it_is_made_of() -> None:
    objects = make_objects()
    bootstrap.ensure(objects)
    rule = {"apiGroups": ["example.org"], "resources": ["things"], "verbs": ["get"]}
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    objects.create(CLUSTER_ROLES, "", {"metadata": {"name": "things", "labels": label}, "rules": [rule]})

    for name in ("view", "edit", "admin"):
        assert rule in objects.get(CLUSTER_ROLES, "", name)["rules"]

    objects.delete(CLUSTER_ROLES, "", "things")
    for name in ("view", "edit", "admin"):
        assert rule not in objects.get(CLUSTER_ROLES, "", name)["rules"]


def test_a_role_that_is_no_aggregate_keeps_its_rules() -> None:
    assert aggregated_rules(CLUSTER_ROLE, [CLUSTER_ROLE]) is None


@pytest.mark.parametrize(("annotation", "kept"), [("false", True), ("true", False)])
def test_roles_of_an_older_start_get_what_they_lack_unless_they_say_no(annotation: str, kept: bool) -> None:
    objects = make_objects()
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": annotation}
    own = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    body = {"metadata": {"name": "system:basic-user", "annotations": annotations}, "rules": [own]}
    objects.create(CLUSTER_ROLES, "", body)

    bootstrap.ensure(objects)

    rules = objects.get(CLUSTER_ROLES, "", "system:basic-user")["rules"]
    assert rules[0] == own
    assert (len(rules) == 1) is kept


def test_a_second_start_changes_nothing() -> None:
    objects = make_objects()
    bootstrap.ensure(objects)
    before = objects.store.revision

    bootstrap.ensure(objects)

    assert objects.store.revision == before


def test_the_policy_follows_the_store() -> None:
    objects = make_objects()
    bootstrap.ensure(objects)
    policy = Policy(objects.store)
    assert not policy.decide(wants(ALICE)).allowed

    key = (CLUSTER_ROLES[0], "clusterrolebindings")
    made = binding("b", {**USER, "apiGroup": CLUSTER_ROLES[0]}, "ClusterRole", "view")
    made["roleRef"]["apiGroup"] = CLUSTER_ROLES[0]
    objects.create(key, "", {**made, "metadata": {"name": "b"}})
    assert policy.decide(wants(ALICE)).allowed
    assert len(held_rules(ALICE, "shop", policy.grants())) > 10

    objects.delete(key, "", "b")
    assert not policy.decide(wants(ALICE)).allowed


def test_asking_costs_far_less_than_the_request_it_is_about() -> None:
    """Over the built-in roles and 500 bindings of others; the yardstick is creating a small object in the store."""
    objects = make_objects()
    bootstrap.ensure(objects)
    roles = objects.store.list(CLUSTER_ROLES)
    others = [binding(f"b{n}", {"kind": "User", "name": f"u{n}"}, "ClusterRole", "edit") for n in range(500)]
    grants = Grants(roles, [*others, binding("mine", USER, "ClusterRole", "edit")])
    wanted = wants(ALICE, "create", "shop", subresource="proxy")

    asked = cpu_seconds(lambda: [authorize(wanted, grants) for _ in range(200)])
    created = cpu_seconds(
        lambda: [objects.create(("", "configmaps"), "default", {"metadata": {"name": f"c{n}"}}) for n in range(200)]
    )

    assert authorize(wanted, grants).allowed
    assert asked < created / 2


def cpu_seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
