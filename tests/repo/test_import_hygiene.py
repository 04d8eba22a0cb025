"""What a program loads when it starts, seen in a fresh interpreter: static rules can't see a deferred import."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a statement loads."""
    program = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import healerd.main", {"textual", "quart", "selfheal_sandbox", "selfheal_tui"}),
        ("import selfheal_service.main", {"kubernetes", "aiohttp", "textual", "selfheal_core", "selfheal_cli"}),
        ("import selfheal_cli.main", {"textual", "quart", "selfheal_sandbox", "pyhelm3"}),
        ("import selfheal_sandbox.server", {"textual", "kubernetes", "quart", "selfheal_cli"}),
        ("import selfheal_tui.main", {"textual", "quart", "selfheal_sandbox", "pyhelm3"}),
        ("import selfheal_core.domain.heal, selfheal_core.domain.diagnose", {"asyncio", "aiohttp", "structlog"}),
    ],
    ids=["healerd", "service", "command line", "sandbox", "console, before its screen opens", "domain"],
)
def test_loads_only_what_is_its_own(statement: str, absent: set[str]) -> None:
    loaded = loaded_by(statement)

    assert loaded & absent == set()


def locked(name: str) -> set[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("image", "absent"),
    [
        ("service", {"kubernetes", "aiohttp", "textual", "pyhelm3", "cryptography"}),
        ("healerd", {"textual", "quart", "uvicorn", "opentelemetry-sdk"}),
        ("tui", {"quart", "uvicorn", "opentelemetry-sdk"}),
    ],
)
def test_an_image_holds_only_what_its_program_needs(image: str, absent: set[str]) -> None:
    packages = locked(image)

    assert packages & absent == set()
    assert packages <= locked("runtime")
