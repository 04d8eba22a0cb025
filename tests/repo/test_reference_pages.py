"""Reference pages say what the code does: generated ones are compared, the page of settings names every key."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from selfheal_cli.settings import Settings
from selfheal_service.settings import Settings as ServiceSettings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("page", ["commands.md", "keys.md", "text-output.schema.json"])
def test_generated_pages_are_current(page: str) -> None:
    program = f"import runpy; print(runpy.run_path('docs/generate.py')['PAGES'][{page!r}](), end='')"
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )

    assert (REFERENCE / page).read_text() == made.stdout, "run: make docs"


def test_the_page_of_settings_names_every_key() -> None:
    page = (REFERENCE / "configuration.md").read_text()
    keys = [f"`{field.name}`" for field in dataclasses.fields(Settings)]
    variables = [f"`{field.name.upper()}`" for field in dataclasses.fields(ServiceSettings)]

    assert [key for key in (*keys, *variables) if key not in page] == []


def test_the_page_of_settings_names_every_value_of_healerd() -> None:
    page = (REFERENCE / "configuration.md").read_text()
    values = yaml.safe_load((ROOT / "chart/healerd/values.yaml").read_text())
    configured = [f"`{section}.{key}`" for section in ("policy", "namespaces", "knownGood") for key in values[section]]

    assert [key for key in (*configured, "`dryRun`") if key not in page] == []
