"""The page about the lab: its commands run as they are written, one after the other."""

import os
import sys
from pathlib import Path

import pytest

from selfheal_sandbox.tools.resolve import resolve
from tests.e2e.documents.reader import ROOT, Reader, failures, page_commands, said
from tests.lab.leftovers import interface_owner

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

PAGE_SECONDS = 840.0
"""The project's images may have to be built."""


def test_the_page_brings_a_lab_up_runs_the_service_in_it_and_takes_it_down(tmp_path: Path) -> None:
    if interface_owner():
        pytest.skip(f"the lab {interface_owner()!r} is up, and only one can be")
    helm = resolve()["helm"]
    path = os.pathsep.join([str(Path(sys.executable).parent), str(helm.parent), os.environ["PATH"]])
    reader = Reader(ROOT, {**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path)})

    steps = reader.types(*page_commands("how-to/work-with-the-lab.md"), seconds=PAGE_SECONDS)

    assert failures(steps) == []
    assert said(steps, "kubectl get nodes").count(" Ready ") == 2
    assert "STATUS: deployed" in said(steps, "helm install app-a")
    assert "app-a" in said(steps, ".venv/bin/selfheal-tui --once")
    assert "is up, 2 nodes are Ready" in said(steps, ".venv/bin/python -m tests.lab status")
    assert "is down" in said(steps, "make lab-down")
