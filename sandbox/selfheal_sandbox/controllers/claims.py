"""Which objects belong to a controller: those it owns and selects, those to adopt, and those to let go."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from selfheal_sandbox.store.objects import (
    Object,
    controller_of,
    is_terminating,
    labels_of,
    owner_reference,
    owners_of,
    spec_of,
    uid_of,
    with_metadata,
)
from selfheal_sandbox.store.selectors import matches_selector


@dataclass(frozen=True, slots=True)
class Claim:
    """What an owner has to do about a set of objects.

    Attributes:
        owned: objects it controls and selects.
        adopt: objects it selects that nobody controls.
        release: objects it controls but no longer selects; a pod whose labels are changed is set free this way.
    """

    owned: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


def claim(owner: Object, candidates: Iterable[Object]) -> Claim:
    """Sort the objects of the owner's namespace by what the owner should do about them."""
    selector = spec_of(owner).get("selector")
    result = Claim()
    for candidate in candidates:
        controller = controller_of(candidate)
        selected = matches_selector(selector, labels_of(candidate))
        if controller is not None and controller.get("uid") == uid_of(owner):
            (result.owned if selected or is_terminating(owner) else result.release).append(candidate)
        elif controller is None and selected and not is_terminating(candidate) and not is_terminating(owner):
            result.adopt.append(candidate)
    return result


def adopted(child: Object, owner: Object) -> Object:
    """Return the child with a controlling reference to its new owner."""
    others = [reference for reference in owners_of(child) if reference.get("uid") != uid_of(owner)]
    return with_metadata(child, ownerReferences=[*others, owner_reference(owner)])


def released(child: Object, owner: Object) -> Object:
    """Return the child without a reference to its former owner."""
    others = [reference for reference in owners_of(child) if reference.get("uid") != uid_of(owner)]
    return with_metadata(child, ownerReferences=others or None)
