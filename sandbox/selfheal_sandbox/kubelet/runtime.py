"""What every pod of the kubelet shares."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import ServiceNetwork
from selfheal_sandbox.kubelet.backoff import BackoffPolicy
from selfheal_sandbox.kubelet.images import Table
from selfheal_sandbox.kubelet.start_gate import StartGate
from selfheal_sandbox.kubelet.watchdog import Watchdog
from selfheal_sandbox.store.objects import Object

COMPONENT = "kubelet"


@dataclass(frozen=True, slots=True)
class KubeletOptions:
    """How the kubelet is set up.

    Attributes:
        sandbox_id: mark that every process of the sandbox carries.
        folder: where the folders of pods are made.
        api_address: (host, port) of the API server, for containers.
        ca_certificate: what containers trust the API server by (PEM).
        token_for: gives the token of a service account: (namespace, name) -> token.
        listening_port: (Service, its port) -> the port on which the sandbox serves it.
        images: what images there are.
        speed: divides back-off delays and retry intervals; probes keep their numbers.
    """

    sandbox_id: str
    folder: Path
    api_address: tuple[str, int]
    ca_certificate: bytes
    token_for: Callable[[str, str], str]
    listening_port: Callable[[Object, int], int]
    images: Table
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """The kubelet's options and the parts it works with."""

    options: KubeletOptions
    objects: Objects
    network: ServiceNetwork
    watchdog: Watchdog
    gate: StartGate
    session: aiohttp.ClientSession

    @property
    def backoff(self) -> BackoffPolicy:
        """Back-off of crashed containers and failed pulls."""
        return BackoffPolicy().at_speed(self.options.speed)

    def at_speed(self, seconds: float) -> float:
        """Return an interval of the kubelet's own, divided by the speed."""
        return seconds / self.options.speed
