"""How a sandbox is set up."""

from dataclasses import dataclass, field
from pathlib import Path

from selfheal_core import __version__
from selfheal_sandbox.kubelet.images import Table, own_images
from selfheal_sandbox.state import Folder


@dataclass(frozen=True, slots=True)
class Options:
    """How a sandbox is set up.

    Attributes:
        folder: where it keeps its files.
        speed: divides back-off, HPA stabilisation and resync; probes keep their numbers.
        nodes: how many nodes it has.
        run_controllers: without them it is an API server alone, with no nodes, and nothing runs.
        request_log: where requests are logged; None keeps no log.
        images: the programs that containers may run.
        fresh: start with nothing, although there is a snapshot of an earlier run.
        prometheus: program that scrapes the pods; None runs none.
    """

    folder: Folder
    speed: float = 1.0
    nodes: int = 3
    run_controllers: bool = True
    request_log: Path | None = None
    images: Table = field(default_factory=lambda: own_images(__version__))
    fresh: bool = False
    prometheus: Path | None = None
