"""Is a body what the path says, and has it the shape of its kind? For bodies that do not pass through `Objects`."""

from selfheal_sandbox.api import errors
from selfheal_sandbox.kinds import cause, schema
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object

SCALE = Resource("autoscaling", "v1", "scales", "Scale", definition="io.k8s.api.autoscaling.v1.Scale")
EVICTION = Resource("policy", "v1", "evictions", "Eviction", definition="io.k8s.api.policy.v1.Eviction")
TOKEN_REQUEST = Resource(
    "authentication.k8s.io",
    "v1",
    "tokenrequests",
    "TokenRequest",
    definition="io.k8s.api.authentication.v1.TokenRequest",
)
BINDING = Resource("", "v1", "bindings", "Binding", definition="io.k8s.api.core.v1.Binding")


def check_kind(resource: Resource, obj: Object) -> None:
    """Refuse an object that says it is something else.

    A built-in one that says nothing is taken for what the path says.

    Raises:
        ApiError: 400.
    """
    kind, version = obj.get("kind") or "", obj.get("apiVersion") or ""
    if not resource.is_custom:
        kind, version = kind or resource.kind, version or resource.group_version
    if (kind, version) == (resource.kind, resource.group_version):
        return
    if resource.is_custom and kind and version == resource.group_version:
        return  # told later, see `check_custom_kind`
    if not kind:
        raise errors.bad_request(f"the object provided is unrecognized (must be of type {resource.kind}): no kind")
    if kind != resource.kind:
        text = f'{kind} in version "{version}" cannot be handled as a {resource.kind}: no kind match'
        raise errors.bad_request(text)
    raise errors.bad_request(
        f"the API version in the data ({version}) does not match the expected API version ({resource.group_version})"
    )


def check_custom_kind(resource: Resource, obj: Object) -> None:
    """Refuse a custom object of another kind: the API server validates what it decodes for built-in ones.

    Raises:
        ApiError: 422.
    """
    kind = obj.get("kind")
    if resource.is_custom and kind != resource.kind:
        name = str((obj.get("metadata") or {}).get("name") or "")
        problem = cause.invalid("kind", kind, f"must be {resource.kind}")
        raise errors.invalid_kind(str(kind), resource.group, name, [problem])


def check_shape(resource: Resource, obj: Object) -> None:
    """Refuse an object with a field of a wrong type; missing and unknown fields are no matter here.

    Raises:
        ApiError: 400.
    """
    findings = schema.check(resource, obj)
    if findings.type_errors:
        raise errors.wrong_type(resource, findings.type_errors[0])


def checked_object(resource: Resource, obj: Object) -> Object:
    """Return an object after both checks."""
    check_kind(resource, obj)
    check_shape(resource, obj)
    return obj
