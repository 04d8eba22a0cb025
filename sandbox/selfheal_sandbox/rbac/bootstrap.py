"""The roles and bindings that every cluster has from its start, as far as they are about what the sandbox serves.

Content of ``k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy`` and, for ``metrics.k8s.io``, of
metrics-server's own manifest.
"""

from collections.abc import Iterator
from functools import partial

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.rbac import aggregation
from selfheal_sandbox.rbac.authorizer import MASTERS, RBAC_GROUP
from selfheal_sandbox.rbac.policy import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from selfheal_sandbox.store.objects import Key, Object, annotations_of

_READ = "get list watch"
_WRITE = "create delete deletecollection patch update"
_READ_WRITE = "create delete deletecollection get list patch update watch"
_AGGREGATE = f"{RBAC_GROUP}/aggregate-to-"
_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_DEFAULTS: Object = {
    "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
    "annotations": {_AUTOUPDATE: "true"},
}
_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY_PATHS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC_PATHS)
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"


def _rule(group: str, resources: str, verbs: str) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}


def _paths(*paths: str, verbs: str = "get") -> Object:
    return {"nonResourceURLs": list(paths), "verbs": verbs.split()}


_VIEW = (
    _rule(
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services services/status",
        _READ,
    ),
    _rule(
        "",
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
        "resourcequotas resourcequotas/status",
        _READ,
    ),
    _rule("", "namespaces", _READ),
    _rule("discovery.k8s.io", "endpointslices", _READ),
    _rule(
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status "
        "replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
        _READ,
    ),
    _rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", _READ),
    _rule("batch", "cronjobs cronjobs/status jobs jobs/status", _READ),
    _rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", _READ),
    _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", _READ),
)
_EDIT = (
    _rule("", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", _READ),
    _rule("", "serviceaccounts", "impersonate"),
    _rule("", "pods pods/attach pods/exec pods/portforward pods/proxy", _WRITE),
    _rule("", "pods/eviction", "create"),
    _rule(
        "",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
        "serviceaccounts services services/proxy",
        _WRITE,
    ),
    _rule("", "serviceaccounts/token", "create"),
    _rule(
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
        "statefulsets/scale",
        _WRITE,
    ),
    _rule("autoscaling", "horizontalpodautoscalers", _WRITE),
    _rule("batch", "cronjobs jobs", _WRITE),
    _rule("policy", "poddisruptionbudgets", _WRITE),
    _rule("networking.k8s.io", "ingresses networkpolicies", _WRITE),
    _rule("coordination.k8s.io", "leases", _READ_WRITE),
)
_ADMIN = (
    _rule("authorization.k8s.io", "localsubjectaccessreviews", "create"),
    _rule(RBAC_GROUP, "rolebindings roles", _READ_WRITE),
)
_BASIC_USER = (
    _rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
    _rule("authentication.k8s.io", "selfsubjectreviews", "create"),
)
_AUTH_DELEGATOR = (
    _rule("authentication.k8s.io", "tokenreviews", "create"),
    _rule("authorization.k8s.io", "subjectaccessreviews", "create"),
)


def _role(name: str, *rules: Object, into: tuple[str, ...] = (), of: str = "") -> Object:
    """A ClusterRole; its rules go ``into`` aggregated roles, or it is itself the aggregate called ``of``."""
    labels = {**_DEFAULTS["labels"], **{f"{_AGGREGATE}{other}": "true" for other in into}}
    selector = {"matchLabels": {f"{_AGGREGATE}{of}": "true"}}
    content: Object = {"aggregationRule": {"clusterRoleSelectors": [selector]}} if of else {"rules": list(rules)}
    return {"metadata": {"name": name, **_DEFAULTS, "labels": labels}, **content}


def _binding(role: str, *groups: str) -> Object:
    reference = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role}
    subjects = [{"apiGroup": RBAC_GROUP, "kind": "Group", "name": group} for group in groups]
    return {"metadata": {"name": role, **_DEFAULTS}, "roleRef": reference, "subjects": subjects}


ROLES: tuple[Object, ...] = (
    _role("cluster-admin", _rule("*", "*", "*"), _paths("*", verbs="*")),
    _role("admin", of="admin"),
    _role("edit", of="edit", into=("admin",)),
    _role("view", of="view", into=("edit",)),
    _role("system:aggregate-to-admin", *_ADMIN, into=("admin",)),
    _role("system:aggregate-to-edit", *_EDIT, into=("edit",)),
    _role("system:aggregate-to-view", *_VIEW, into=("view",)),
    _role(
        "system:aggregated-metrics-reader", _rule("metrics.k8s.io", "pods nodes", _READ), into=("view", "edit", "admin")
    ),
    _role("system:auth-delegator", *_AUTH_DELEGATOR),
    _role("system:basic-user", *_BASIC_USER),
    _role("system:discovery", _paths(*_DISCOVERY_PATHS)),
    _role(
        "system:monitoring", _paths("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/readyz", "/readyz/*")
    ),
    _role("system:public-info-viewer", _paths(*_PUBLIC_PATHS)),
)
BINDINGS: tuple[Object, ...] = (
    _binding("cluster-admin", MASTERS),
    _binding("system:basic-user", AUTHENTICATED),
    _binding("system:discovery", AUTHENTICATED),
    _binding("system:monitoring", "system:monitoring"),
    _binding("system:public-info-viewer", AUTHENTICATED, UNAUTHENTICATED),
)


def ensure(objects: Objects) -> None:
    """Create what is missing of the roles and bindings, and keep aggregated roles up to date from here on.

    A role that an older version of the sandbox made gets the rules that it lacks, unless its annotation says otherwise,
    as an API server does at its start.
    """
    for key, obj in _objects():
        found = objects.store.get(key, "", obj["metadata"]["name"])
        if found is None:
            objects.create(key, "", obj)
        elif key == CLUSTER_ROLES and annotations_of(found).get(_AUTOUPDATE) == "true":
            objects.patch_object(key, found, partial(_with_rules, obj.get("rules") or []))
    aggregation.keep_aggregated(objects)


def _with_rules(wanted: list[Object], role: Object) -> Object:
    rules = role.get("rules") or []
    missing = [rule for rule in wanted if rule not in rules]
    return {**role, "rules": [*rules, *missing]} if missing else role


def _objects() -> Iterator[tuple[Key, Object]]:
    yield from ((CLUSTER_ROLES, role) for role in ROLES)
    yield from ((CLUSTER_ROLE_BINDINGS, binding) for binding in BINDINGS)
