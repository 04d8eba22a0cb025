"""An installed wheel and an editable install both find the charts, and a wheel carries nothing it should not."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOOK = "from selfheal_core.files import chart; print(chart('service')); print(chart('healerd'))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    return built


def test_editable_install_finds_the_charts() -> None:
    found = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=30)

    assert [Path(line) for line in found.stdout.split()] == [ROOT / "chart/service", ROOT / "chart/healerd"]


def test_wheel_finds_the_charts(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {LOOK}"

    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30, cwd=tmp_path
    )

    data = tmp_path / "selfheal_core/data/chart"
    assert [Path(line) for line in found.stdout.split()] == [data / "service", data / "healerd"]


def test_wheel_carries_the_programs_and_no_tests(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    packages = {name for name in top if not name.endswith(".dist-info")}
    assert packages == {
        "selfheal_core", "selfheal_cli", "selfheal_tui", "healerd", "selfheal_service", "selfheal_sandbox"
    }  # fmt: skip
