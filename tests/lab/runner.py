"""The process that runs a lab: it brings the cluster up, watches it, and is the one whose end is the lab's end.

SIGTERM takes the lab down in order; SIGHUP starts components again that have ended; SIGKILL leaves what the kernel
cannot drop by itself, which `tests.lab.leftovers` removes. Any failure on the way up takes everything down.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

import yaml

from tests.lab import addons, cgroups, control_plane, health, leftovers, network, node, pki
from tests.lab.components import Component, Components, environment
from tests.lab.control_plane import AUDIT_POLICY, ControlPlane
from tests.lab.errors import LabError
from tests.lab.namespaces import Namespaces, await_init, nested_command, new_command, run
from tests.lab.network import NODES
from tests.lab.node import Node
from tests.lab.node_images import import_image
from tests.lab.state import URL, LabFolder, State, command

OUTER = "control-plane"
CHECK_SECONDS = 0.1
WATCH_SECONDS = 0.25
LOG_CHECK_SECONDS = 15.0
START_SECONDS = 90.0
ADDON_SECONDS = 180.0
END_SECONDS = 10.0
Say = Callable[[str], None]


class Stopped(Exception):  # noqa: N818 - it is no error
    """The lab was told to end."""


class Runner:
    """Runs one lab.

    Args:
        folder: of the lab.
        programs: path of each program.
        archives: path of the image of each program that is in one.
        say: is told of each step.
    """

    def __init__(self, folder: LabFolder, programs: dict[str, Path], archives: dict[str, Path], say: Say) -> None:
        self._folder = folder
        self._programs = programs
        self._archives = archives
        self._begin = time.monotonic()
        self._say = say
        self._components = Components(folder.logs)
        self._outer: Namespaces | None = None
        self._inits: dict[str, Namespaces] = {}
        self._state = State(folder.name, programs={name: str(path) for name, path in programs.items()})
        self._mend = False
        self._is_ending = False
        self._plane = ControlPlane(
            programs,
            folder.path,
            folder.pki,
            network.API_ADDRESS,
            bind_address="0.0.0.0",
            audit_policy=folder.path / "audit-policy.yaml",
            audit_log=folder.audit_log,
        )
        group = cgroups.group_name(folder.mark)
        self._nodes = [
            Node(at, programs, folder.path / "nodes" / at.name, folder.pki, f"/{group}/{at.name}") for at in NODES
        ]

    def run(self) -> None:
        """Bring the lab up, watch it until it is told to end, and take it down.

        Raises:
            LabError: it did not come up, or not down.
        """
        signal.signal(signal.SIGTERM, self._on_end)
        signal.signal(signal.SIGINT, self._on_end)
        signal.signal(signal.SIGHUP, self._on_mend)
        try:
            self._bring_up()
            self._watch()
        except Stopped:
            self._say("ending")
        finally:
            self._is_ending = True
            self._take_down()

    def _on_end(self, _number: int, _frame: FrameType | None) -> None:
        if not self._is_ending:  # once it ends, nothing shall keep it from ending whole
            self._is_ending = True
            raise Stopped

    def _on_mend(self, _number: int, _frame: FrameType | None) -> None:
        self._mend = True

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._begin:5.1f} s  {text}")

    # ---- up ----

    def _bring_up(self) -> None:
        self._folder.write_state(self._state)
        self._write_files()
        self._make_outer()
        self._start(OUTER, "etcd", control_plane.etcd(self._plane))
        self._start(OUTER, "kube-apiserver", control_plane.kube_apiserver(self._plane))
        for one in self._nodes:
            self._make_node(one)
        self._tell("namespaces and networks are there")
        pool = ThreadPoolExecutor(len(self._nodes))
        try:
            self._start_cluster(pool)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        self._run_addons()
        self._state = State(self._state.name, True, self._init_numbers(), self._state.programs)
        self._folder.write_state(self._state)
        self._tell(f"the lab is up; export KUBECONFIG={self._folder.kubeconfig}")

    def _start_cluster(self, pool: ThreadPoolExecutor) -> None:
        """Start what needs containerd and the API server; images are loaded by other threads meanwhile."""
        self._await_containerd()
        loads = [pool.submit(self._load, self._inits[one.at.name], ["pause"]) for one in self._nodes]
        self._await("the API server", "kube-apiserver", lambda: self._read("/readyz") == "ok")
        self._tell("API server is ready")
        self._start(OUTER, "kube-controller-manager", control_plane.kube_controller_manager(self._plane))
        self._start(OUTER, "kube-scheduler", control_plane.kube_scheduler(self._plane))
        self._await_loads(loads)
        self._start_kubelets()
        names = [image.program for image in addons.ADDONS]
        loads = [pool.submit(self._load, self._inits[one.at.name], names) for one in self._nodes]
        self._await_nodes()
        self._await_loads(loads)

    def _write_files(self) -> None:
        certificates = pki.control_plane_certificates(
            (network.API_ADDRESS, network.GATEWAY_ADDRESS), network.KUBERNETES_ADDRESS
        )
        of_nodes = [one for at in NODES for one in pki.node_certificates(at.name, at.address)]
        pki.write_pki(self._folder.pki, URL, [*certificates, *of_nodes])
        self._folder.audit_log.parent.mkdir(exist_ok=True)
        (self._folder.path / "audit-policy.yaml").write_text(yaml.safe_dump(AUDIT_POLICY))
        for one in self._nodes:
            node.write_configuration(one)
        self._folder.programs.mkdir(exist_ok=True)
        for name, program in (("kubectl", "kubectl"), ("helm", "helm-4"), ("helm3", "helm-3")):
            (self._folder.programs / name).symlink_to(self._programs[program])
        cgroups.make(self._folder.mark, [at.name for at in NODES])

    def _make_outer(self) -> None:
        pause = self._programs["pause"]
        starter = self._components.start(Component(OUTER, None, new_command(pause)))
        self._outer = self._inits[OUTER] = await_init(starter, pause)
        run(["ip", "-batch", "-"], network.host_lines(self._outer.init, self._folder.mark))
        self._outer.configure_network(network.outer_lines(NODES))
        self._outer.run(["sysctl", "--quiet", "--write", *network.settings()])

    def _make_node(self, one: Node) -> None:
        assert self._outer is not None
        pause = self._programs["pause"]
        starter = self._components.start(Component(one.at.name, None, nested_command(self._outer, pause)))
        inside = self._inits[one.at.name] = await_init(starter, pause)
        for mount in node.mount_commands(one):
            inside.run(mount)
        self._outer.configure_network(network.cable_lines(one.at, inside.init))
        inside.configure_network(network.node_lines(one.at, NODES))
        self._start(one.at.name, "containerd", node.containerd(one))

    def _start(self, where: str, program: str, argv: list[str]) -> None:
        name = program if where == OUTER else f"{where}-{program}"
        self._components.start(Component(name, self._inits[where], argv))

    def _start_kubelets(self) -> None:
        for one in self._nodes:
            self._start(one.at.name, "kubelet", node.kubelet(one))
            self._start(one.at.name, "kube-proxy", node.kube_proxy(one))

    def _await_containerd(self) -> None:
        for one in self._nodes:
            inside = self._inits[one.at.name]
            self._await("containerd", f"{one.at.name}-containerd", partial(_answers, inside))

    def _await_nodes(self) -> None:
        names = [at.name for at in NODES]

        def ready() -> bool:
            return not health.not_ready(self._read_object(health.NODES), names)

        self._await("Ready nodes", f"{names[0]}-kubelet", ready)
        self._tell(f"nodes {' and '.join(names)} are Ready")

    def _load(self, inside: Namespaces, names: list[str]) -> None:
        for name in names:
            import_image(inside, self._archives[name])

    def _await_loads(self, loads: "list[Future[None]]") -> None:
        for load in loads:
            load.result()

    def _run_addons(self) -> None:
        kubectl = str(self._programs["kubectl"])
        access = f"--kubeconfig={self._folder.kubeconfig}", f"--cache-dir={self._folder.path / 'home' / 'kubecachedir'}"
        apply = [kubectl, "apply", "--server-side", *access, "--filename", str(addons.MANIFESTS)]
        run(apply, environment=environment(os.environ))
        names = [image.program for image in addons.ADDONS]

        def available() -> bool:
            return not health.unavailable(self._read_object(health.ADDONS), names) and health.is_served(
                self._read_object(health.AGGREGATED)
            )

        self._await(" and ".join(names), f"{NODES[0].name}-kubelet", available, ADDON_SECONDS)
        self._tell(f"{' and '.join(names)} answer")

    def _await(self, what: str, component: str, condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._components.require_all()
            if condition():
                return
            if time.monotonic() > deadline:
                tail = self._components.tail(component)
                raise LabError(f"{what} not there within {seconds:.0f} s; the end of {component}'s log:\n{tail}")
            time.sleep(CHECK_SECONDS)

    def _read(self, path: str) -> str | None:
        return health.read(self._programs["kubectl"], self._folder.kubeconfig, path)

    def _read_object(self, path: str) -> "health.Object":
        return health.read_object(self._programs["kubectl"], self._folder.kubeconfig, path)

    def _init_numbers(self) -> dict[str, int]:
        return {at.name: self._inits[at.name].init for at in NODES}

    # ---- watch ----

    def _watch(self) -> None:
        """Tell of components that end; start them again when asked to. A node's or the lab's first process is its end.

        Raises:
            LabError: namespaces have ended.
        """
        next_log_check = 0.0
        while True:
            if self._mend:
                self._mend = False
                for name in self._components.restart_ended():
                    self._tell(f"started {name} again")
            self._note_ended()
            if time.monotonic() > next_log_check:
                self._components.bound_logs()
                next_log_check = time.monotonic() + LOG_CHECK_SECONDS
            time.sleep(WATCH_SECONDS)

    def _note_ended(self) -> None:
        ended = self._components.ended()
        for name in sorted(ended.keys() - self._state.ended.keys()):
            self._tell(f"{name} {ended[name]}")
        if ended != self._state.ended:
            self._state = State(self._state.name, True, self._state.nodes, self._state.programs, ended)
            self._folder.write_state(self._state)
        for name in self._inits:
            if name in ended:
                raise LabError(f"the namespaces of {name} have ended, so the lab has; start it anew: {self._up()}")

    def _up(self) -> str:
        return command("up", self._folder.name)

    # ---- down ----

    def _take_down(self) -> None:
        """End everything: what is in the namespaces ends with the first process in there, and then who waits for it."""
        if self._outer is None:
            self._components.kill()
        else:
            with suppress(ProcessLookupError):
                os.kill(self._outer.init, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # what does not end is named with the control groups it is in
            self._components.wait(END_SECONDS)
        leftovers.remove(self._folder)
        self._tell("the lab is down")


def _answers(inside: Namespaces) -> bool:
    """Return whether a node's containerd answers."""
    try:
        inside.run([*node.CTR, "version"])
    except LabError:
        return False
    return True
