"""In what the clusters differ that the story can play on; everything else of it is the same on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ClusterProfile:
    """What the story has to know of a cluster. The defaults are those of the sandbox.

    Attributes:
        images: What to run instead of a chart's own image, as ``REPOSITORY:TAG``, by the chart's name.
        healerd_namespace: Where healerd goes.
        values: More values of a chart, each as ``--set`` takes it, by the chart's name.
        patience: How many times longer than in a quick sandbox things may take: back-off and scrapes keep their own
            pace on a cluster.
        is_shared: Others have pods there too, so that a drain evicts only pods of the application.
        proxy_url: Address of a ``kubectl proxy`` by which Services are reached; "" where their addresses can be reached
            from here.
        environment: More environment variables for every command.
    """

    images: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    healerd_namespace: str = "selfheal-system"
    values: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    patience: float = 1.0
    is_shared: bool = False
    proxy_url: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def image_values(self, chart: str) -> tuple[str, ...]:
        """Helm's arguments that make a chart run the image that this cluster has."""
        repository, _, tag = self.images.get(chart, "").rpartition(":")
        return ("--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}") if repository else ()

    def chart_values(self, chart: str) -> tuple[str, ...]:
        """Helm's arguments for a chart on this cluster: its image, and what else is said of it."""
        more = (word for value in self.values.get(chart, ()) for word in ("--set", value))
        return (*self.image_values(chart), *more)

    def seconds(self, in_sandbox: float) -> float:
        """How long something may take here that takes so long in the sandbox."""
        return in_sandbox * self.patience
