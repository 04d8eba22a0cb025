"""Which resources the sandbox serves: the built-in ones and those that CustomResourceDefinitions add."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from selfheal_sandbox.store.objects import Key, Object

SUBRESOURCE_KINDS: dict[str, tuple[str, str, str]] = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "scale": ("autoscaling", "v1", "Scale"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
"""Group, version and kind of the subresources whose body is not the parent's own kind (nor options of a stream)."""


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One `additionalPrinterColumns` entry of a CustomResourceDefinition version."""

    name: str
    type: str
    json_path: str
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource in one version.

    Attributes:
        definition: Name in the schema table; empty for custom resources.
        custom_schema: `openAPIV3Schema` of a CustomResourceDefinition version.
        printer_columns: `additionalPrinterColumns` of a CustomResourceDefinition version.
        storage_of: (group, version, plural) of the resource in whose form objects are stored, when it is not this one
            (autoscaling/v1 over v2, events.k8s.io over core, further versions of a custom resource). `conversion`
            translates.
        scale_paths: Of a custom resource with a scale subresource: paths (`.spec.replicas`) of the wanted replicas,
            the observed replicas and the label selector (empty when it has none).
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    definition: str = ""
    custom_schema: Object | None = field(default=None, hash=False)
    printer_columns: tuple[PrinterColumn, ...] = ()
    storage_of: tuple[str, str, str] | None = None
    singular_name: str = ""
    list_name: str = ""
    scale_paths: tuple[str, str, str] | None = None

    @property
    def replica_paths(self) -> tuple[str, str, str]:
        """Paths of the wanted replicas, the observed ones, and the label selector ("" for none), if it has a scale."""
        return self.scale_paths or (".spec.replicas", ".status.replicas", ".status.selector")

    @property
    def singular(self) -> str:
        """The name in the singular, as `kubectl get deployment` uses it."""
        return self.singular_name or self.kind.lower()

    @property
    def group_version(self) -> str:
        """`apps/v1`, or `v1` for the core group: the value of `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """`deployments.apps`, or `pods` for the core group: how error messages name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def key(self) -> Key:
        """Group and plural of the resource itself."""
        return (self.group, self.plural)

    @property
    def storage_key(self) -> Key:
        """Group and plural that its objects are stored under."""
        return (self.storage_of[0], self.storage_of[2]) if self.storage_of else self.key

    @property
    def list_kind(self) -> str:
        """Kind of a list of them."""
        return self.list_name or f"{self.kind}List"

    @property
    def is_custom(self) -> bool:
        """Whether a CustomResourceDefinition defines it."""
        return not self.definition


_ALL = ("all",)
_EXTENSION = ("api-extensions",)
_STATUS = ("status",)
_SCALE = ("scale", "status")
_POD = ("attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "status")
_HPA = ("autoscaling", "v2", "horizontalpodautoscalers")
_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
_CRD_DEFINITION = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"


def _resource(group_version: str, plural: str, kind: str, *short_names: str, **options: Any) -> Resource:
    """A built-in resource; its definition is named after the first label of its group, as upstream packages are."""
    group, _, version = group_version.rpartition("/")
    package = group.split(".")[0] or "core"
    options.setdefault("definition", f"io.k8s.api.{package}.{version}.{kind}")
    return Resource(group, version, plural, kind, short_names=short_names, **options)


def _cluster(group_version: str, plural: str, kind: str, *short_names: str, **options: Any) -> Resource:
    return _resource(group_version, plural, kind, *short_names, namespaced=False, **options)


BUILTIN: tuple[Resource, ...] = (
    _resource("v1", "configmaps", "ConfigMap", "cm"),
    _resource("v1", "endpoints", "Endpoints", "ep"),
    _resource("v1", "events", "Event", "ev"),
    _resource("v1", "limitranges", "LimitRange", "limits"),
    _cluster("v1", "namespaces", "Namespace", "ns", subresources=("finalize", "status")),
    _cluster("v1", "nodes", "Node", "no", subresources=("proxy", "status")),
    _resource("v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", subresources=_STATUS),
    _cluster("v1", "persistentvolumes", "PersistentVolume", "pv", subresources=_STATUS),
    _resource("v1", "pods", "Pod", "po", categories=_ALL, subresources=_POD),
    _resource("v1", "podtemplates", "PodTemplate"),
    _resource("v1", "replicationcontrollers", "ReplicationController", "rc", categories=_ALL, subresources=_SCALE),
    _resource("v1", "resourcequotas", "ResourceQuota", "quota", subresources=_STATUS),
    _resource("v1", "secrets", "Secret"),
    _resource("v1", "serviceaccounts", "ServiceAccount", "sa", subresources=("token",)),
    _resource("v1", "services", "Service", "svc", categories=_ALL, subresources=("proxy", "status")),
    _resource("apps/v1", "controllerrevisions", "ControllerRevision"),
    _resource("apps/v1", "daemonsets", "DaemonSet", "ds", categories=_ALL, subresources=_STATUS),
    _resource("apps/v1", "deployments", "Deployment", "deploy", categories=_ALL, subresources=_SCALE),
    _resource("apps/v1", "replicasets", "ReplicaSet", "rs", categories=_ALL, subresources=_SCALE),
    _resource("apps/v1", "statefulsets", "StatefulSet", "sts", categories=_ALL, subresources=_SCALE),
    _resource("batch/v1", "cronjobs", "CronJob", "cj", categories=_ALL, subresources=_STATUS),
    _resource("batch/v1", "jobs", "Job", categories=_ALL, subresources=_STATUS),
    _resource("autoscaling/v2", _HPA[2], "HorizontalPodAutoscaler", "hpa", categories=_ALL, subresources=_STATUS),
    _resource(
        "autoscaling/v1",
        _HPA[2],
        "HorizontalPodAutoscaler",
        "hpa",
        categories=_ALL,
        subresources=_STATUS,
        storage_of=_HPA,
    ),
    _resource("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", subresources=_STATUS),
    _resource("coordination.k8s.io/v1", "leases", "Lease"),
    _resource("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
    _resource("events.k8s.io/v1", "events", "Event", "ev", storage_of=("", "v1", "events")),
    _cluster("networking.k8s.io/v1", "ingressclasses", "IngressClass"),
    _resource("networking.k8s.io/v1", "ingresses", "Ingress", "ing", subresources=_STATUS),
    _resource("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", "netpol"),
    _cluster(_RBAC, "clusterrolebindings", "ClusterRoleBinding"),
    _cluster(_RBAC, "clusterroles", "ClusterRole"),
    _resource(_RBAC, "rolebindings", "RoleBinding"),
    _resource(_RBAC, "roles", "Role"),
    _cluster("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", "pc"),
    _cluster("storage.k8s.io/v1", "storageclasses", "StorageClass", "sc"),
    _cluster(_ADMISSION, "validatingadmissionpolicies", "ValidatingAdmissionPolicy", categories=_EXTENSION),
    _cluster(
        _ADMISSION,
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        categories=_EXTENSION,
    ),
    _cluster(
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd",
        "crds",
        categories=_EXTENSION,
        subresources=_STATUS,
        definition=_CRD_DEFINITION,
    ),
)
"""What a sandbox serves from its start. Within a group the first version listed is the preferred one."""

REVIEWS: tuple[Resource, ...] = (
    _cluster("authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview"),
    _cluster("authentication.k8s.io/v1", "tokenreviews", "TokenReview"),
    _cluster("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _cluster("authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    _cluster("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview"),
    _resource("authorization.k8s.io/v1", "localsubjectaccessreviews", "LocalSubjectAccessReview"),
)
"""Questions that are answered and not stored: only `create` exists. They are not part of a `Registry`."""


class Registry:
    """The resources being served; CustomResourceDefinitions add to it and take from it.

    Attributes:
        generation: Rises with every change, so that documents made from the registry can be cached.
    """

    def __init__(self, resources: Iterable[Resource] = BUILTIN) -> None:
        self.generation = 0
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._resources.values()))

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of a request path, or None."""
        return self._resources.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Resource | None:
        """The resource of an object's `apiVersion` and `kind`, or None."""
        return self._by_kind.get((group, version, kind))

    def by_key(self, key: Key) -> Resource:
        """The resource in the version its objects are stored in.

        Raises:
            KeyError: Nothing of this group and plural is served.
        """
        versions = [resource for resource in self if resource.key == key]
        if not versions:
            raise KeyError(key)
        return next((resource for resource in versions if resource.storage_of is None), versions[0])

    def add(self, resource: Resource) -> None:
        """Serve a resource, or serve it in a new form."""
        self.remove(resource)
        self._resources[resource.group, resource.version, resource.plural] = resource
        self._by_kind[resource.group, resource.version, resource.kind] = resource
        self.generation += 1

    def remove(self, resource: Resource) -> None:
        """Stop serving a resource (told by group, version and plural); nothing happens if it is not served."""
        old = self._resources.pop((resource.group, resource.version, resource.plural), None)
        if old is not None:
            self._by_kind.pop((old.group, old.version, old.kind), None)
            self.generation += 1


def resources_of_definition(crd: Object) -> list[Resource]:
    """The resources a valid CustomResourceDefinition asks for: one for each served version, in the order it lists."""
    spec = crd["spec"]
    stored = next((version["name"] for version in spec["versions"] if version.get("storage")), "")
    return [_custom(spec, version, stored) for version in spec["versions"] if version.get("served")]


def _custom(spec: Object, version: Object, stored: str) -> Resource:
    names = spec["names"]
    subresources: Object = version.get("subresources") or {}
    is_stored = version["name"] == stored
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        namespaced=spec.get("scope") == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(sorted(subresources)),
        custom_schema=(version.get("schema") or {}).get("openAPIV3Schema"),
        printer_columns=tuple(_column(column) for column in version.get("additionalPrinterColumns") or ()),
        storage_of=None if is_stored else (spec["group"], stored, names["plural"]),
        singular_name=names.get("singular", ""),
        list_name=names.get("listKind", ""),
        scale_paths=_scale_paths(subresources.get("scale")),
    )


def _column(column: Object) -> PrinterColumn:
    return PrinterColumn(
        name=column["name"],
        type=column["type"],
        json_path=column["jsonPath"],
        format=column.get("format", ""),
        description=column.get("description", ""),
        priority=column.get("priority", 0),
    )


def _scale_paths(scale: Object | None) -> tuple[str, str, str] | None:
    if scale is None:
        return None
    return (scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", ""))
