"""Which objects of a kind a list, a watch or a deletecollection means."""

from dataclasses import dataclass

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.request import Query
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store import selectors
from selfheal_sandbox.store.objects import Object, labels_of, namespace_of
from selfheal_sandbox.store.selectors import FieldRequirement, LabelRequirement


@dataclass(frozen=True, slots=True)
class Selection:
    """A namespace (None: all), label and field requirements."""

    namespace: str | None = None
    labels: tuple[LabelRequirement, ...] = ()
    fields: tuple[FieldRequirement, ...] = ()

    @property
    def has_selectors(self) -> bool:
        """Whether more than the namespace decides."""
        return bool(self.labels or self.fields)

    @property
    def is_one_object(self) -> bool:
        """Whether a name says which object is meant."""
        return any(each.path == ("metadata", "name") and each.equal for each in self.fields)

    def matches(self, obj: Object) -> bool:
        """Return whether an object, in its stored version, is meant."""
        if self.namespace is not None and namespace_of(obj) != self.namespace:
            return False
        if self.labels and not selectors.matches_labels(self.labels, labels_of(obj)):
            return False
        return not self.fields or selectors.matches_fields(self.fields, obj)


def check_syntax(query: Query) -> None:
    """Refuse a label selector that cannot be read, whatever it is about.

    Raises:
        ApiError: 400.
    """
    try:
        selectors.parse_labels(query.text("labelSelector"))
    except selectors.SelectorError as error:
        raise errors.bad_request(str(error)) from None


def selection(resource: Resource, namespace: str | None, query: Query, name: str = "") -> Selection:
    """Read the selectors of a request; ``name`` narrows it to one object.

    Raises:
        ApiError: 400, a selector cannot be understood.
    """
    try:
        labels = selectors.parse_labels(query.text("labelSelector"))
        fields = selectors.parse_fields(query.text("fieldSelector"), resource.kind)
    except selectors.SelectorError as error:
        raise errors.bad_request(str(error)) from None
    if name:
        fields = (*fields, FieldRequirement(("metadata", "name"), True, name))
    return Selection(namespace if resource.namespaced else None, labels, fields)
