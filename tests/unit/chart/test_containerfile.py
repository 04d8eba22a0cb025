"""What the Containerfile promises, read from its text; a container engine is not needed."""

import re
import tomllib
from dataclasses import dataclass, field

import pytest

from tests.unit.chart.conftest import REPOSITORY

TARGETS = ("service", "healerd", "tui")


@dataclass
class Stage:
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def arguments_of(self, instruction: str) -> list[str]:
        return [arguments for word, arguments in self.steps if word == instruction]


def read_stages() -> dict[str, Stage]:
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "Containerfile").read_text(), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    current = Stage("")
    for line in text.replace("\\\n", " ").splitlines():
        word, _, arguments = line.partition(" ")
        if word == "FROM":
            base, _, name = arguments.partition(" AS ")
            current = stages[name] = Stage(base)
        elif word:
            current.steps.append((word, arguments.strip()))
    return stages


STAGES = read_stages()


def locked(name: str) -> dict[str, list[str]]:
    """Versions by package, of a requirements file; markers may pick one of several."""
    versions: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([a-z0-9][-a-z0-9._]*)==(\S+)", requirements(name), flags=re.MULTILINE):
        versions.setdefault(package, []).append(version)
    return versions


def requirements(name: str) -> str:
    return (REPOSITORY / "requirements" / f"{name}.txt").read_text()


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_a_numeric_user_that_is_not_root(target: str) -> None:
    steps = STAGES[target].steps
    assert STAGES[target].arguments_of("USER") == ["65532:65532"]
    assert [word for word, _ in steps[-3:] if word in ("RUN", "COPY")] == []


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_starts_a_command_of_the_project(target: str) -> None:
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    (entrypoint,) = STAGES[target].arguments_of("ENTRYPOINT")
    command = entrypoint.strip('["]')
    module, function = scripts[command].split(":")
    launchers = " ".join(STAGES[f"{target}-files"].arguments_of("RUN"))
    assert f"from {module} import {function}" in launchers
    assert f"> /opt/selfheal/bin/{command}" in re.sub(r"\s+", " ", launchers)


@pytest.mark.parametrize("target", TARGETS)
def test_packages_are_installed_by_hash_from_the_lock_of_the_program(target: str) -> None:
    files = STAGES[f"{target}-files"]
    assert f"requirements/{target}.txt ." in files.arguments_of("COPY")
    (install,) = [step for step in files.arguments_of("RUN") if "install" in step]
    assert "--require-hashes" in install
    assert "--no-deps" in install


@pytest.mark.parametrize(
    ("target", "unwanted"),
    [
        ("service", {"kubernetes", "aiohttp", "httpx", "msgspec", "textual", "cryptography"}),
        ("healerd", {"textual", "quart", "uvicorn", "cryptography"}),
        ("tui", {"quart", "uvicorn", "cryptography"}),
    ],
)
def test_a_lock_holds_only_what_its_program_needs(target: str, unwanted: set[str]) -> None:
    assert not unwanted & set(locked(target))


@pytest.mark.parametrize("target", TARGETS)
def test_a_lock_names_the_versions_that_are_developed_with(target: str) -> None:
    everything = locked("runtime")
    for package, versions in locked(target).items():
        assert set(versions) <= set(everything[package]), package


@pytest.mark.parametrize("target", TARGETS)
def test_every_package_of_a_lock_has_a_hash_and_no_index_is_named(target: str) -> None:
    text = requirements(target)
    assert all(
        "--hash=sha256:" in block for block in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE) if "==" in block
    )
    assert "index-url" not in text


def test_only_the_base_image_comes_from_elsewhere() -> None:
    for name, stage in STAGES.items():
        named = {"${BASE_IMAGE}", "${BUILD_IMAGE}", "${BASTION_IMAGE}", "helm-${TARGETARCH:-amd64}"}
        assert stage.base in {*named, *STAGES}, name
    text = (REPOSITORY / "Containerfile").read_text()
    assert "\nARG BUILD_IMAGE=${BASE_IMAGE}\n" in text
    assert "\nARG BASTION_IMAGE=bastion-system\n" in text


def test_every_copied_path_exists_and_is_let_into_the_build_context() -> None:
    context = set(re.findall(r"^!(\S+)", (REPOSITORY / ".dockerignore").read_text(), flags=re.MULTILINE))
    for name, stage in STAGES.items():
        for copy in stage.arguments_of("COPY"):
            if copy.startswith(("--from", "${HELM_ARM64_FILE}")):
                continue
            *sources, _ = copy.split()
            assert set(sources) <= context, name
            assert all((REPOSITORY / source).exists() for source in sources), name


def test_helm_is_checked_before_it_is_taken_on_either_architecture() -> None:
    for architecture in ("amd64", "arm64"):
        (step,) = STAGES[f"helm-{architecture}"].arguments_of("RUN")
        assert step.index("sha256sum --check --strict") < step.index("install -m 0755")
