"""Where the operator is, and the way back."""

from dataclasses import dataclass, field, replace
from typing import Literal

from selfheal_core.domain.snapshot import AppKey

Tab = Literal["apps", "pods", "history", "journal"]
TABS: tuple[tuple[int, Tab, str], ...] = (
    (1, "apps", "Apps"),
    (2, "pods", "Pods"),
    (3, "history", "History"),
    (8, "journal", "Journal"),
)
"""Built tabs with their numbers, which stay the same whatever else is built."""


@dataclass(frozen=True, slots=True)
class Place:
    """One thing to look at.

    Attributes:
        application: Only this application's pods or revisions; None for all.
        filter_text: As typed after ``/``.
    """

    tab: Tab = "apps"
    application: AppKey | None = None
    filter_text: str = ""


@dataclass(slots=True)
class Trail:
    """Places visited, with a position among them."""

    places: list[Place] = field(default_factory=lambda: [Place()])
    position: int = 0
    limit: int = 50

    @property
    def here(self) -> Place:
        """Where the operator is."""
        return self.places[self.position]

    def go(self, place: Place) -> None:
        """Go somewhere; what lay ahead is forgotten."""
        if place != self.here:
            self.places = [*self.places[: self.position + 1], place][-self.limit :]
            self.position = len(self.places) - 1

    def amend(self, filter_text: str) -> None:
        """Change the filter of this place without making it another place."""
        self.places[self.position] = replace(self.here, filter_text=filter_text)

    def older(self) -> bool:
        """One place back; False at the first."""
        return self._step(-1)

    def newer(self) -> bool:
        """One place forth; False at the last."""
        return self._step(1)

    def _step(self, by: int) -> bool:
        if not 0 <= self.position + by < len(self.places):
            return False
        self.position += by
        return True


def one_level_up(place: Place) -> Place | None:
    """Where ``esc`` leads: first the filter goes, then the application, then the tab; None at the top."""
    if place.filter_text:
        return replace(place, filter_text="")
    if place.application is not None or place.tab != "apps":
        return Place()
    return None
