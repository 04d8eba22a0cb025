"""Renders the project's charts with a real helm."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from checks.renderings import CHARTS, SERVICE_EVERYTHING

REPOSITORY = Path(__file__).parents[3]

Manifest = dict[str, Any]


class RenderError(Exception):
    """What helm said when it refused."""


@dataclass(frozen=True)
class Rendered:
    """The objects of a release."""

    manifests: tuple[Manifest, ...]

    def kinds(self) -> list[str]:
        return sorted(manifest["kind"] for manifest in self.manifests)

    def of_kind(self, kind: str) -> Manifest:
        (manifest,) = (manifest for manifest in self.manifests if manifest["kind"] == kind)
        return manifest

    def pod_specs(self) -> Iterator[Manifest]:
        for manifest in self.manifests:
            if manifest["kind"] == "Pod":
                yield manifest["spec"]
            elif "template" in manifest.get("spec", {}):
                yield manifest["spec"]["template"]["spec"]

    def container(self) -> Manifest:
        (container,) = self.of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
        assert isinstance(container, dict)
        return container

    def environment(self) -> dict[str, str]:
        return {entry["name"]: entry["value"] for entry in self.container()["env"] if "value" in entry}


Render = Callable[..., Rendered]


def find_helm() -> str | None:
    """Helm on PATH, or where the project keeps the tools it has fetched."""
    if on_path := shutil.which("helm"):
        return on_path
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    fetched = sorted(path for path in (cache / "selfheal" / "tools").rglob("helm*") if path.is_file())
    return next((str(path) for path in fetched if os.access(path, os.X_OK)), None)


@pytest.fixture(scope="session")
def helm() -> str:
    found = find_helm()
    if found is None:
        pytest.skip("no helm: run `make setup`")
    return found


@pytest.fixture(scope="session")
def render(helm: str) -> Render:
    """Render a chart: `render("service", "web", namespace="demo", **values)`; `a__b=1` sets `a.b`."""

    def run(chart: str, release: str = "web", *, namespace: str = "demo", **values: object) -> Rendered:
        sets = [f"--set-json={name.replace('__', '.')}={json.dumps(value)}" for name, value in values.items()]
        command = [helm, "template", release, str(CHARTS / chart), "--namespace", namespace, "--kube-version", "1.37.0"]
        result = subprocess.run([*command, *sets], capture_output=True, text=True, timeout=30, check=False)
        if result.returncode:
            raise RenderError(result.stderr)
        return Rendered(tuple(manifest for manifest in yaml.safe_load_all(result.stdout) if manifest))

    return run


@pytest.fixture(scope="session")
def everything_on() -> dict[str, object]:
    """Values of the service's chart that switch every optional part on."""
    return {path.replace(".", "__"): value for path, value in SERVICE_EVERYTHING.items()}
