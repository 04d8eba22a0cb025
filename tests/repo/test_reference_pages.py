"""Reference pages say what the code does: what is generated is compared, what is written by hand names every key."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from healerd.configuration import load
from healerd.metrics import Metrics
from selfheal_core.errors import BadUsage, ClusterUnreachable, NotVerified, Refused, SelfhealError

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"


GENERATED = sorted(
    [
        "reference/commands.md",
        "reference/keys.md",
        "reference/text-output.schema.json",
        *(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if "<!-- generated: " in page.read_text()),
    ]
)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Every generated page as the code would have it now."""
    program = (
        "import json, runpy; "
        "print(json.dumps({name: page() for name, page in runpy.run_path('docs/generate.py')['PAGES'].items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    pages: dict[str, str] = json.loads(done.stdout)
    return pages


@pytest.mark.parametrize("page", GENERATED)
def test_generated_pages_are_current(made: dict[str, str], page: str) -> None:
    assert (DOCS / page).read_text() == made[page], "run: make docs"


def test_every_generated_page_is_compared(made: dict[str, str]) -> None:
    assert sorted(made) == GENERATED


def test_the_metrics_are_those_that_healerd_shows() -> None:
    page = (REFERENCE / "metrics.md").read_text()
    shown = generate_latest(Metrics().registry).decode()
    families = set(re.findall(r"^# TYPE (healerd_\w+)(?<!_created) ", shown, re.MULTILINE))

    assert len(families) > 5
    assert [family for family in families if f"`{family}`" not in page] == []


def test_every_exit_code_is_told() -> None:
    page = (REFERENCE / "commands.md").read_text()
    kinds = (SelfhealError, Refused, BadUsage, NotVerified, ClusterUnreachable)

    assert [kind for kind in kinds if f"\n| {kind.exit_code} | " not in page] == []


def test_the_page_of_settings_names_every_value_of_healerd() -> None:
    page = (REFERENCE / "configuration.md").read_text()
    values = yaml.safe_load((ROOT / "chart/healerd/values.yaml").read_text())
    configured = [f"`{section}.{key}`" for section in ("policy", "namespaces", "knownGood") for key in values[section]]

    assert [key for key in (*configured, "`dryRun`") if key not in page] == []


def test_the_defaults_of_healerd_are_told() -> None:
    page = (REFERENCE / "configuration.md").read_text()
    configuration = load(None, own_namespace="")
    defaults = {
        "policy.maxRestarts": configuration.policy.max_restarts,
        "policy.retrySeconds": configuration.policy.retry_seconds,
        "policy.ownerIntervalSeconds": configuration.policy.owner_interval_seconds,
        "knownGood.soakSeconds": configuration.soak_seconds,
    }

    assert [key for key, value in defaults.items() if f"| `{key}` | {value:g} |" not in page] == []
    assert f"`{configuration.host}`, {configuration.port} |" in page
