"""`kubectl selfheal`: found by the real kubectl, and it speaks of itself by that name."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.bad_input.calls import SCRIPTS, Caller, Ended
from tests.e2e.sandbox_process import SandboxProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def kubectl(call: Caller, tools: Mapping[str, Path], tmp_path: Path) -> "Kubectl":
    """The real kubectl with our programs on its PATH."""
    return Kubectl(call, tools["kubectl"])


class Kubectl:
    """Calls kubectl with our programs on its PATH."""

    def __init__(self, call: Caller, program: Path) -> None:
        self._call = call
        self._program = program

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        path = os.pathsep.join((str(SCRIPTS), "/usr/bin", "/bin"))
        ended = self._call(str(self._program), *arguments, PATH=path, **variables)
        return Ended("kubectl selfheal", ended.code, ended.out, ended.err)


def test_kubectl_lists_it(kubectl: "Kubectl") -> None:
    assert str(SCRIPTS / "kubectl-selfheal") in kubectl("plugin", "list").out.splitlines()


def test_its_help_and_its_errors_name_it_as_it_is_called(kubectl: "Kubectl") -> None:
    assert kubectl("selfheal", "--help").out.startswith("Usage: kubectl selfheal [OPTIONS] COMMAND")
    assert kubectl("selfheal", "rollback", "--help").out.startswith("Usage: kubectl selfheal rollback ")

    misspelt = kubectl("selfheal", "rolback", "web")
    assert misspelt.code == 2
    assert misspelt.line == "kubectl selfheal: unknown command 'rolback'; did you mean 'rollback'?"

    flag = kubectl("selfheal", "rollback", "--zzz", "web")
    assert flag.line == "kubectl selfheal: unknown option '--zzz'; see: kubectl selfheal rollback --help"


def test_the_doctor_looks_at_the_cluster_of_kubectl(kubectl: "Kubectl", sandbox: SandboxProcess) -> None:
    ended = kubectl("selfheal", "doctor", KUBECONFIG=str(sandbox.kubeconfig))

    assert (ended.code, ended.err) == (0, "")
    assert f"ok      kubeconfig: {sandbox.kubeconfig}: " in ended.out
    assert "ok      clock: agrees with the API server's" in ended.out
    assert "ok      rollback: allowed in namespace" in ended.out


def test_a_cluster_that_refuses_is_exit_code_4_through_kubectl_too(kubectl: "Kubectl", call: Caller) -> None:
    ended = kubectl("selfheal", "explain", "web", KUBECONFIG=str(call.kubeconfig("http://127.0.0.1:9")))

    assert ended.code == 4
    assert "connection refused" in ended.line
