"""What the tests of kinds share: the registry, and small objects to start from."""

from collections.abc import Callable
from typing import Any

import pytest

from selfheal_sandbox.kinds.registry import Registry, Resource

Find = Callable[[str], Resource]


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def find(registry: Registry) -> Find:
    """Finds a resource by `plural`, `plural.group` or `plural.version.group`."""

    def find_resource(name: str) -> Resource:
        plural, *rest = name.split(".")
        version = rest.pop(0) if rest and rest[0].startswith("v") and rest[0][1:2].isdigit() else ""
        group = ".".join(rest)
        return next(
            resource
            for resource in registry
            if (resource.plural, resource.group) == (plural, group) and version in ("", resource.version)
        )

    return find_resource


@pytest.fixture
def deployment() -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "selfheal-service:1.0"}]},
            },
        },
    }


@pytest.fixture
def pod() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop"},
        "spec": {"containers": [{"name": "web", "image": "selfheal-service:1.0"}]},
    }


@pytest.fixture
def crd() -> dict[str, Any]:
    """A CustomResourceDefinition of widgets with two versions, defaults, limits, columns and a scale subresource."""
    spec_schema = {
        "type": "object",
        "required": ["size", "color"],
        "properties": {
            "size": {"type": "integer", "default": 3, "minimum": 1, "maximum": 9},
            "color": {"type": "string", "enum": ["red", "blue"]},
            "owner": {
                "type": "string",
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "owner is immutable"}],
            },
            "share": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "limits": {"type": "object", "default": {}, "properties": {"cpu": {"type": "string", "default": "1"}}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "items": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        },
    }
    schema = {
        "openAPIV3Schema": {
            "type": "object",
            "description": "A widget.",
            "properties": {
                "spec": spec_schema,
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.io"},
        "spec": {
            "group": "example.io",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "shortNames": ["wd"]},
            "versions": [
                {"name": "v1beta1", "served": True, "storage": False, "schema": schema},
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": schema,
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
                    },
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                        {
                            "name": "Ready",
                            "type": "string",
                            "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                            "priority": 1,
                        },
                        {"name": "Seen", "type": "date", "jsonPath": ".status.seen"},
                    ],
                },
                {"name": "v1alpha1", "served": False, "storage": False, "schema": schema},
            ],
        },
    }
