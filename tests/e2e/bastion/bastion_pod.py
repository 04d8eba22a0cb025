"""The bastion's image as a pod, made from the manifest of the how-to page, and those who log in to it."""

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bastion.accounts import FIRST_UID
from bastion.connections import PORT
from benchmarks.terminal import Terminal
from tests.lab.pki import issue, user
from tests.lab.state import Lab

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/how-to/bastion.md"
LINK_SECONDS = 3
HOST_KEY = "ssh_host_ed25519_key"
HOST_KEY_PUBLIC = f"{HOST_KEY}.pub"
COMMAND_SECONDS = 60.0
START_SECONDS = 90.0
PYTHON = "/opt/selfheal/bin/python3"

PROCESSES = f"""
import os
for name in filter(str.isdigit, os.listdir('/proc')):
    try:
        uid = os.stat('/proc/' + name).st_uid
        if uid >= {FIRST_UID}:
            print(uid, open('/proc/' + name + '/cmdline').read().replace(chr(0), ' '))
    except OSError:
        pass
"""
"""Operators' processes; ``ps`` is not in the image."""

JOURNAL = """
import os, sys
folder = '/var/log/selfheal/' + sys.argv[1]
uid = os.stat(folder).st_uid
os.setgid(uid)
os.setuid(uid)
print(open(folder + '/selfheal/journal.jsonl').read())
"""
"""Read as its owner: root in the container may not look into other accounts' folders."""


@dataclass(frozen=True, slots=True)
class BastionPod:
    """The bastion in the lab.

    Attributes:
        folder: Keys of those who log in.
        address: Of the pod.
    """

    lab: Lab
    namespace: str
    pod: str
    node: str
    address: str
    folder: Path

    def command(self, program: str, login: str, *options: str) -> list[str]:
        """An OpenSSH client's command line, without this machine's settings, up to the options."""
        port = "-P" if program == "sftp" else "-p"
        given = {
            "IdentityFile": str(self.folder / login),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "UserKnownHostsFile": str(self.folder / "known_hosts"),
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "3",
            "ServerAliveCountMax": "3",
            "LogLevel": "ERROR",
        }
        settings = [word for name, value in given.items() for word in ("-o", f"{name}={value}")]
        return [program, "-F", "/dev/null", port, str(PORT), *settings, *options, f"{login}@{self.address}"]

    def ssh(self, login: str, *words: str, options: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        """Log in without a terminal and run words there."""
        command = [*self.command("ssh", login, *options), *words]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )

    def console(self, login: str, term: str = "xterm-256color", options: tuple[str, ...] = ()) -> Terminal:
        """Log in on a terminal of 80 columns and 24 lines."""
        environ = {name: value for name, value in os.environ.items() if name not in ("COLORTERM", "NO_COLOR")}
        return Terminal(self.command("ssh", login, "-tt", *options), {**environ, "TERM": term}, 80, 24)

    def python(self, program: str, *arguments: str) -> str:
        """Run a program of Python in the container, beside sshd, and return what it prints."""
        inside = ("exec", self.pod, "--", PYTHON, "-c", program, *arguments)
        return kubectl(self.lab, "-n", self.namespace, *inside)

    def processes(self) -> list[str]:
        """Operators' processes, as ``uid command``."""
        return self.python(PROCESSES).splitlines()

    def journal(self, login: str) -> list[dict[str, Any]]:
        """The lines of an operator's journal."""
        return [json.loads(line) for line in self.python(JOURNAL, login).splitlines() if line]

    def wait_until_nobody_is_left(self, seconds: float) -> float:
        """Wait for the end of every operator's process; seconds that it took.

        Raises:
            TimeoutError: Some are left; the text says which.
        """
        began = looked = time.monotonic()
        while left := self.processes():
            if looked - began > seconds:
                raise TimeoutError(f"left after {seconds:g} s: {left}")
            time.sleep(0.2)
            looked = time.monotonic()
        return looked - began

    @contextmanager
    def link_cut(self) -> Iterator[None]:
        """Take the pod's link down for the time of the block."""
        index = self.python("print(open('/sys/class/net/eth0/iflink').read())").strip()
        links = self.lab.run_on(self.node, "ip", "-o", "link").stdout
        found = re.search(rf"^{index}: ([^@:]+)", links, re.MULTILINE)
        assert found, links
        self.lab.run_on(self.node, "ip", "link", "set", found[1], "down")
        try:
            yield
        finally:
            self.lab.run_on(self.node, "ip", "link", "set", found[1], "up")


def kubectl(lab: Lab, *arguments: str, stdin: str = "") -> str:
    """Run the lab's kubectl as its administrator.

    Raises:
        AssertionError: It failed; with what it said.
    """
    done = subprocess.run(
        [str(lab.programs["kubectl"]), *arguments],
        input=stdin,
        env=lab.environment(),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS + START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"kubectl {' '.join(arguments[:4])}: {done.stderr}"
    return done.stdout


def apply(lab: Lab, namespace: str, *objects: Mapping[str, Any]) -> None:
    """Apply objects; those that name no namespace go to this one."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    kubectl(lab, "-n", namespace, "apply", "-f", "-", stdin=listed)


def make_key(path: Path) -> str:
    """Make a key pair and return its public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=20)
    return path.with_name(f"{path.name}.pub").read_text()


def secret(namespace: str, name: str, **files: str) -> dict[str, Any]:
    """A Secret of files."""
    data = {key: base64.b64encode(text.encode()).decode() for key, text in files.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}


def operator_secret(lab: Lab, namespace: str, folder: Path, login: str) -> dict[str, Any]:
    """An operator: keys of their own, and a kubeconfig of a user of their name, set to the namespace."""
    path = issue(lab.kubeconfig.parent, lab.url, user(f"bastion-{login}", login))
    kubeconfig = yaml.safe_load(path.read_text())
    kubeconfig["contexts"][0]["context"]["namespace"] = namespace
    return secret(
        namespace, f"bastion-{login}", authorized_keys=make_key(folder / login), kubeconfig=yaml.safe_dump(kubeconfig)
    )


def role_binding(namespace: str, login: str, role: str) -> dict[str, Any]:
    """Give a user a ClusterRole in one namespace."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": login, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": login, "apiGroup": group}],
    }


def manifest() -> str:
    """The manifest of the how-to page, as it is written."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(text)


def deployment(image: str, logins: tuple[str, ...]) -> dict[str, Any]:
    """The Deployment of the how-to page, for these operators and a short time; journals are kept as long as the pod."""
    _, made = yaml.safe_load_all(manifest())
    pod = made["spec"]["template"]["spec"]
    pod["containers"][0] |= {
        "image": image,
        "imagePullPolicy": "Never",
        "env": [{"name": "SELFHEAL_BASTION_LINK_SECONDS", "value": f"{LINK_SECONDS}"}],
    }
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    host_keys, alice = volumes["files"]["projected"]["sources"]
    operators = [json.loads(json.dumps(alice).replace("alice", login)) for login in logins]
    volumes["files"]["projected"]["sources"] = [host_keys, *operators]
    del volumes["journals"]["persistentVolumeClaim"]
    volumes["journals"]["emptyDir"] = {}
    return dict(made)


def started(lab: Lab, namespace: str, folder: Path) -> BastionPod:
    """Wait for the bastion of a namespace to be ready."""
    wait = f"--timeout={START_SECONDS:.0f}s"
    kubectl(lab, "-n", namespace, "rollout", "status", "deployment/bastion", wait)
    # The one before may still be there: it is told to end, and ready until then.
    pods = json.loads(kubectl(lab, "-n", namespace, "get", "pods", "-l", "app=bastion", "-o", "json"))["items"]
    (pod,) = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    address, name, node = pod["status"]["podIP"], pod["metadata"]["name"], pod["spec"]["nodeName"]
    (folder / "known_hosts").write_text(f"[{address}]:{PORT} {(folder / HOST_KEY_PUBLIC).read_text()}")
    return BastionPod(lab, namespace, name, node, address, folder)


@contextmanager
def namespace_of(lab: Lab, name: str) -> Iterator[str]:
    """A namespace that admits what Pod Security calls baseline, for the time of the block."""
    kubectl(lab, "create", "namespace", name)
    try:
        kubectl(lab, "label", "namespace", name, "pod-security.kubernetes.io/enforce=baseline")
        yield name
    finally:
        kubectl(lab, "delete", "namespace", name, f"--timeout={START_SECONDS:.0f}s")


def host_keys(namespace: str, folder: Path) -> dict[str, Any]:
    """The Secret of the host keys; the public half is beside the private one in the folder."""
    make_key(folder / HOST_KEY)
    return secret(namespace, "bastion-host-keys", **{HOST_KEY: (folder / HOST_KEY).read_text()})
