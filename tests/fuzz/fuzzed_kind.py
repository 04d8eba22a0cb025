"""What is known of a kind that is fuzzed: small pools of contents, changes and flaws, so that calls meet on fields."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]
Edit: TypeAlias = tuple[tuple[str | int, ...], Any]
"""A path in a body, and what to put there; `ABSENT` takes the field away."""

ABSENT = "\0absent"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that is fuzzed.

    Attributes:
        name: the kind.
        api_version: group and version.
        plural: in paths.
        contents: what objects hold besides their metadata; the first one is the plainest.
        changes: merge patches; as strategic patches they merge lists.
        operations: JSON patches.
        statuses: what ``status`` may be set to; empty where there is no such subresource.
        edits: flaws and other odd things, put into an otherwise good body.
        scalable: whether it has a ``scale`` subresource.
        custom: whether it is defined by a CustomResourceDefinition.
        selectors: field selectors worth a try.
    """

    name: str
    api_version: str
    plural: str
    contents: tuple[Body, ...]
    changes: tuple[Body, ...]
    operations: tuple[list[Body], ...] = ()
    statuses: tuple[Body, ...] = ()
    edits: tuple[Edit, ...] = ()
    scalable: bool = False
    custom: bool = False
    selectors: tuple[str, ...] = ()

    @property
    def collection(self) -> str:
        """Path of the collection in the sequence's namespace."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}/namespaces/NS/{self.plural}"


EVERY_EDIT: tuple[Edit, ...] = (
    (("bogus",), 1),
    (("spec", "bogus"), "x"),
    (("metadata", "bogus"), True),
    (("metadata", "name"), "Bad_Name"),
    (("metadata", "name"), "a" * 254),
    (("metadata", "name"), "a" * 64),
    (("metadata", "name"), ABSENT),
    (("metadata", "name"), 5),
    (("metadata", "namespace"), "elsewhere"),
    (("metadata", "labels"), "text"),
    (("metadata", "labels"), {"app": 5}),
    (("metadata", "labels"), {"a b": "x"}),
    (("metadata", "labels"), {"app": "not good"}),
    (("metadata", "labels"), {"a" * 64: "x"}),
    (("metadata", "annotations"), {"a b": "x"}),
    (("metadata", "annotations"), {"note": 1}),
    (("metadata", "finalizers"), ["unqualified"]),
    (("metadata", "finalizers"), ["bad finalizer/x"]),
    (("metadata", "generation"), 7),
    (("metadata", "creationTimestamp"), None),
    (("metadata", "deletionTimestamp"), "2020-01-01T00:00:00Z"),
    (("metadata", "ownerReferences"), [{"kind": "Pod", "name": "x", "uid": "u"}]),
    (("metadata", "ownerReferences"), [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": ""}]),
    (("metadata", "managedFields"), []),
    (("apiVersion",), "v9"),
    (("apiVersion",), ABSENT),
    (("kind",), "Wrong"),
    (("kind",), ABSENT),
    (("metadata",), ABSENT),
    (("spec",), ABSENT),
    (("spec",), "text"),
    (("spec",), None),
    (("status",), {}),
)
