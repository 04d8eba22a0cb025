"""One hostile cluster for all tests here."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e.console.scripted import surroundings
from tests.e2e.hostile.attacks import Attacks
from tests.faults.process import ServerProcess


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """The cluster, in a process of its own; two of its collections answer with an error that is an attack as well."""
    with ServerProcess(module="tests.e2e.hostile.cluster") as running:
        said = Attacks().all()
        running.fault("status", on="any", path="/jobs", code=500, reason=said, message=said)
        running.fault("status", on="any", path="/daemonsets", code=403, reason="Forbidden", message=said)
        yield running


@pytest.fixture
def environ(server: ServerProcess, tmp_path: Path) -> Mapping[str, str]:
    """An environment for our programs, with a context whose name is an attack."""
    made = surroundings(server, tmp_path, XDG_CACHE_HOME=os.path.expanduser("~/.cache"))
    file = Path(made["KUBECONFIG"])
    known = yaml.safe_load(file.read_text())
    name = Attacks().all()
    known["contexts"] += [{"name": name, "context": known["contexts"][0]["context"]}]
    file.write_text(yaml.safe_dump({**known, "current-context": name}))
    return made
