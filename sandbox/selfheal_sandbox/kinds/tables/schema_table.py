"""Makes the schema table: the definitions of the kinds that are served, in OpenAPI 3.0 form."""

import json
import re
from importlib import metadata, resources
from typing import Any

Node = dict[str, Any]

PREFIX = "#/components/schemas/"

ROOTS = {
    "io.k8s.api.admissionregistration.v1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
    "io.k8s.api.apps.v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "io.k8s.api.authentication.v1": "SelfSubjectReview TokenRequest TokenReview",
    "io.k8s.api.authorization.v1": "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview "
    "SubjectAccessReview",
    "io.k8s.api.autoscaling.v1": "HorizontalPodAutoscaler Scale",
    "io.k8s.api.autoscaling.v2": "HorizontalPodAutoscaler",
    "io.k8s.api.batch.v1": "CronJob Job",
    "io.k8s.api.coordination.v1": "Lease",
    "io.k8s.api.core.v1": "Binding ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume "
    "PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "io.k8s.api.discovery.v1": "EndpointSlice",
    "io.k8s.api.events.v1": "Event",
    "io.k8s.api.networking.v1": "Ingress IngressClass NetworkPolicy",
    "io.k8s.api.policy.v1": "Eviction PodDisruptionBudget",
    "io.k8s.api.rbac.v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "io.k8s.api.scheduling.v1": "PriorityClass",
    "io.k8s.api.storage.v1": "StorageClass",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1": "CustomResourceDefinition",
    "io.k8s.apimachinery.pkg.apis.meta.v1": "DeleteOptions Status",
}
"""Definitions to take, by package; what they refer to comes along."""

ADDED: dict[tuple[str, str], Node] = {
    ("io.k8s.api.core.v1.ContainerPort", "protocol"): {"default": "TCP"},
    ("io.k8s.api.core.v1.ServicePort", "protocol"): {"default": "TCP"},
}
"""What the server's own document says of a field (definition, field) and the package leaves out: defaults of fields
that are keys of lists."""

UNUSED = {
    "x-kubernetes-unions",  # no client reads it
}

SENTENCE_END = re.compile(r"(?<![A-Z])(?<!e\.g)(?<!i\.e)(?<!etc)\.(?=\s)|\n\n")


def schema_table() -> tuple[Node, Node]:
    """Where the definitions are from, and the definitions by name."""
    package = "kubernetes-validate"
    version = metadata.version(package)
    source = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local"
    definitions = json.loads((source / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    taken = {name: openapi(definitions[name]) for name in closure(definitions, roots())}
    for definition in taken.values():
        drop_type_names(definition)
    for (name, field), keywords in ADDED.items():
        taken[name]["properties"][field].update(keywords)
    header = {
        "package": package,
        "version": version,
        "licence": "Apache-2.0",
        "changes": "OpenAPI 3.0 form; descriptions cut to their first sentence; definitions not served left out",
    }
    return header, taken


def roots() -> list[str]:
    """Full names of the definitions to take."""
    return [f"{package}.{kind}" for package, kinds in ROOTS.items() for kind in kinds.split()]


def closure(definitions: Node, names: list[str]) -> set[str]:
    """The names and everything that their definitions refer to."""
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += references(definitions[name])
    return seen


def references(node: Any) -> list[str]:
    """Names of the definitions that a schema refers to."""
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    found = [name for value in node.values() for name in references(value)]
    reference = node.get("$ref")
    return [*found, reference.rsplit("/", 1)[1]] if isinstance(reference, str) else found


def openapi(node: Node) -> Node:
    """A JSON schema as OpenAPI 3.0 has it: no null types, references into components, no siblings of a reference."""
    result = {key: converted(key, value) for key, value in node.items() if key not in UNUSED}
    reference = result.get("$ref")
    if isinstance(reference, str):
        target = PREFIX + reference.rsplit("/", 1)[1]
        result["$ref"] = target
        if len(result) > 1:
            del result["$ref"]
            result["allOf"] = [{"$ref": target}]
    return result


def converted(key: str, value: Any) -> Any:
    """One member of a schema in OpenAPI 3.0 form."""
    if key == "type" and isinstance(value, list):
        return next(name for name in value if name != "null")
    if key == "description" and isinstance(value, str):
        return first_sentence(value)
    if key == "properties":
        return {name: openapi(child) for name, child in value.items()}
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return openapi(value)
    if key in ("oneOf", "anyOf", "allOf"):
        return [openapi(child) for child in value]
    return value


def first_sentence(text: str) -> str:
    """The text up to the end of its first sentence or paragraph."""
    end = SENTENCE_END.search(text)
    return text[: end.start()].strip() + "." if end else text


def drop_type_names(definition: Node) -> None:
    """Take out the enumerations of `apiVersion` and `kind`, which the upstream document does not have."""
    for name in ("apiVersion", "kind"):
        definition.get("properties", {}).get(name, {}).pop("enum", None)
