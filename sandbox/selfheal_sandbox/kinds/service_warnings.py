"""What the API server says about Services that are valid and still hardly meant so (pkg/api/service/warnings.go)."""

from collections.abc import Iterator

from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object, spec_of


def service_warnings(resource: Resource, obj: Object) -> Iterator[str]:
    """Yield what is said of fields that mean nothing for the type that a Service has; of other kinds, nothing."""
    if resource.key != ("", "services"):
        return
    spec = spec_of(obj)
    is_name = spec.get("type") == "ExternalName"
    if spec.get("clusterIP") == "None" and spec.get("sessionAffinity") != "None":
        yield "spec.SessionAffinity is ignored for headless services"
    if spec.get("externalName") and not is_name:
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
