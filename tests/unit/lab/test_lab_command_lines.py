"""How the lab's programs are started and configured."""

import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.lab import control_plane, node
from tests.lab.addons import ADDONS, MANIFESTS
from tests.lab.control_plane import AUDIT_POLICY, ControlPlane
from tests.lab.namespaces import ENDS_WITH_STARTER, Namespaces, nested_command, new_command
from tests.lab.network import NODES
from tests.lab.node import Node
from tests.lab.programs import PACKAGES
from tests.polling import until
from tests.processes import is_running

PROGRAMS = {name: Path("/programs") / name for name in PACKAGES}
SECONDS = 10.0
STARTS_A_SLEEPER = """
import subprocess, sys
print(subprocess.Popen([*sys.argv[1:], "sleep", "60"]).pid, flush=True)
sys.stdin.read()
"""


def plane(**changes: object) -> ControlPlane:
    return ControlPlane(PROGRAMS, Path("/lab"), Path("/lab/pki"), "10.77.0.2", **changes)  # type: ignore[arg-type]


@pytest.fixture
def first() -> Node:
    return Node(NODES[0], PROGRAMS, Path("/lab/nodes/one"), Path("/lab/pki"), "/group/one")


def test_the_api_server_authorizes_nodes_and_roles_and_restricts_nodes() -> None:
    line = control_plane.kube_apiserver(plane())

    assert "--authorization-mode=Node,RBAC" in line
    assert "--enable-admission-plugins=NodeRestriction" in line
    assert "--enable-aggregator-routing=true" in line
    assert not [flag for flag in line if "insecure" in flag or "anonymous" in flag]


def test_nothing_is_audited_without_a_policy() -> None:
    assert not [flag for flag in control_plane.kube_apiserver(plane()) if "audit" in flag]


def test_the_audit_log_goes_where_it_shall() -> None:
    line = control_plane.kube_apiserver(plane(audit_policy=Path("/policy"), audit_log=Path("/log")))

    assert "--audit-policy-file=/policy" in line
    assert "--audit-log-path=/log" in line


def test_the_audit_log_holds_one_line_per_answer_and_no_bodies() -> None:
    assert AUDIT_POLICY["omitStages"] == ["RequestReceived", "ResponseStarted"]
    assert {rule["level"] for rule in AUDIT_POLICY["rules"]} == {"None", "Metadata"}


def test_only_the_api_server_listens_beyond_loopback() -> None:
    at_large = plane(bind_address="0.0.0.0")
    listening = [
        *control_plane.etcd(at_large),
        *control_plane.kube_controller_manager(at_large),
        *control_plane.kube_scheduler(at_large),
    ]

    assert not [flag for flag in listening if "0.0.0.0" in flag]
    assert "--bind-address=0.0.0.0" in control_plane.kube_apiserver(at_large)


def test_ports_are_taken_from_the_plane() -> None:
    elsewhere = plane(api_port=1, etcd_port=2, etcd_peer_port=3)

    assert elsewhere.url == "https://10.77.0.2:1"
    assert "--secure-port=1" in control_plane.kube_apiserver(elsewhere)
    assert "--etcd-servers=https://127.0.0.1:2" in control_plane.kube_apiserver(elsewhere)
    assert "--initial-cluster=lab=http://127.0.0.1:3" in control_plane.etcd(elsewhere)


def test_no_secret_is_on_a_command_line_only_its_file(first: Node) -> None:
    lines = [*control_plane.kube_apiserver(plane()), *control_plane.etcd(plane()), *node.kubelet(first)]

    assert not [flag for flag in lines if "token" in flag or "password" in flag]
    assert [flag for flag in lines if "key" in flag and "/lab/pki/" not in flag] == []


def test_containerd_reads_back_what_is_written(first: Node) -> None:
    wanted = node.containerd_configuration(first)

    assert tomllib.loads(node.toml(wanted)) == wanted


def test_quotes_and_backslashes_survive_toml() -> None:
    wanted = {"a.b": {"c": 'x"y\\z', "d": [1, 2], "e": {"f": True}}}

    assert tomllib.loads(node.toml(wanted)) == wanted


def test_a_kubelet_keeps_its_pods_in_its_own_group_and_lets_in_whom_the_api_server_knows(first: Node) -> None:
    configuration = node.kubelet_configuration(first)

    assert configuration["cgroupRoot"] == "/group/one"
    assert configuration["authentication"]["anonymous"] == {"enabled": False}
    assert configuration["authorization"] == {"mode": "Webhook"}


def test_a_node_sees_its_own_folders_where_the_host_has_its_own(first: Node) -> None:
    targets = [command[-1] for command in node.mount_commands(first) if command[0] == "mount"]

    assert targets == ["/", *node.HIDDEN]


def test_new_namespaces_end_with_whoever_starts_them() -> None:
    line = new_command(Path("/pause"))

    assert line[:2] == ["setpriv", "--pdeathsig=KILL"]
    assert "--kill-child=KILL" in line
    assert line[-1] == "/pause"


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only Linux has setpriv")
def test_what_is_to_end_with_its_starter_ends_when_that_is_killed() -> None:
    command = [sys.executable, "-c", STARTS_A_SLEEPER, *ENDS_WITH_STARTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        sleeper = int(starter.stdout.readline())
        until(lambda: Path(f"/proc/{sleeper}/comm").read_text() == "sleep\n", SECONDS, "setpriv becomes the program")
        starter.send_signal(signal.SIGKILL)
        starter.wait(SECONDS)

        until(lambda: not is_running(sleeper), SECONDS, "it ends with its starter")


def test_nested_namespaces_are_made_inside_the_outer_ones() -> None:
    line = nested_command(Namespaces(42), Path("/pause"))

    assert line[:2] == ["nsenter", "--target=42"]
    assert "--pid" in line[: line.index("--")]
    assert "unshare" in line[line.index("--") :]


def test_the_manifests_run_the_images_that_are_loaded() -> None:
    text = "".join(path.read_text() for path in MANIFESTS.glob("*.yaml"))

    assert [image.name for image in ADDONS if f"image: {image.name}\n" not in text] == []
    assert text.count("image: ") == len(ADDONS)


def test_the_images_are_called_after_the_versions_that_are_built() -> None:
    modules = (Path(node.__file__).parent / "modules" / "go.mod").read_text()

    for module, image in zip(("github.com/coredns/coredns", "sigs.k8s.io/metrics-server"), ADDONS, strict=True):
        assert f"\t{module} {image.name.rpartition(':')[2]} " in modules
