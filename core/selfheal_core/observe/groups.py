"""An index from a key to the values under it, in the order in which they came."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class Groups(Generic[K, V]):
    """Values by key; a key without values takes no room."""

    def __init__(self) -> None:
        self._values: dict[K, dict[V, None]] = {}

    def add(self, key: K, value: V) -> None:
        """Put a value under a key; again is no difference."""
        self._values.setdefault(key, {})[value] = None

    def discard(self, key: K, value: V) -> None:
        """Take a value away, if it is there."""
        values = self._values.get(key)
        if values is None:
            return
        values.pop(value, None)
        if not values:
            del self._values[key]

    def of(self, key: K) -> Iterable[V]:
        """The values under a key; none if it is unknown."""
        return self._values.get(key, {}).keys()

    def keys(self) -> Iterable[K]:
        """Every key that has values."""
        return self._values.keys()

    def __contains__(self, key: K) -> bool:
        return key in self._values
