"""The linters of `make lint` find what they are there for, and what is accepted is accepted in writing."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from checks import tools
from checks.findings import ACCEPTED, Acceptance, Finding, not_accepted, outdated, read_acceptances
from checks.linters import LINTERS, Linter, LinterError, Subject, run_json
from checks.renderings import RENDERINGS, ROOT

ROOT_FILES = (".ci/run", ".github/workflows/ci.yaml", "Containerfile")
BARE_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: shop}
spec: {containers: [{name: one, image: one}]}
"""
PLANTED: dict[str, tuple[str, Callable[[str], str], str]] = {
    "hadolint": ("Containerfile", lambda text: f"{text}\nFROM scratch:latest\n", "DL3007"),
    "shellcheck": (".ci/run", lambda text: f"{text}\nrm -r $HOME\n", "SC2086"),
    "actionlint": (".github/workflows/ci.yaml", lambda text: text.replace("runs-on", "run-on"), "syntax-check"),
    "zizmor": (".github/workflows/ci.yaml", lambda text: re.sub("@[0-9a-f]{40}", "@v4", text), "unpinned-uses"),
    "checkov": ("bare.yaml", lambda _: BARE_POD, "CKV_K8S_13"),
    "kube-score": ("bare.yaml", lambda _: BARE_POD, "container-resources"),
}  # fmt: skip


def program(linter: Linter) -> Path:
    """The linter's program if `make lint` has set it up; in CI that has run before."""
    try:
        return tools.installed(linter.name)
    except tools.MissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A copy of the files that are looked at; the folder of renderings is the same one."""
    for name in ROOT_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return Subject(tmp_path, tmp_path)


@pytest.mark.parametrize("linter", LINTERS, ids=lambda linter: linter.name)
def test_a_planted_fault_is_found(linter: Linter, subject: Subject) -> None:
    file, spoil, check = PLANTED[linter.name]
    path = subject.root / file
    path.write_text(spoil(path.read_text() if path.exists() else ""))

    found = {finding.check for finding in linter.look(program(linter), subject)}

    assert check in found


def test_what_a_linter_cannot_read_is_no_clean_result(tmp_path: Path) -> None:
    with pytest.raises(LinterError, match="exited with 3: it broke"):
        run_json("one", ["sh", "-c", "echo it broke >&2; exit 3"], tmp_path)


def test_a_linter_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LinterError, match="nowhere"):
        run_json("one", [str(tmp_path / "nowhere")], tmp_path)


def test_one_rule_is_accepted_at_the_named_places_only() -> None:
    acceptance = Acceptance("checkov", "K1", ("web-*:Deployment/*",), "because")
    there, elsewhere = (Finding("checkov", "K1", place, "") for place in ("web-1:Deployment/a", "db-1:Deployment/a"))
    other_rule = Finding("checkov", "K2", "web-1:Deployment/a", "")

    assert not_accepted([there, elsewhere, other_rule], [acceptance]) == (elsewhere, other_rule)


def test_a_place_without_findings_is_outdated() -> None:
    acceptance = Acceptance("checkov", "K1", ("web-*", "db-*"), "because")

    sentences = outdated("checkov", [Finding("checkov", "K1", "web-1", "")], [acceptance])

    assert len(sentences) == 1
    assert "db-*" in sentences[0]
    assert outdated("kube-score", [], [acceptance]) == ()


@pytest.mark.parametrize("reason", ["reason: ''", "", "reason: because\n  more: x"])
def test_an_acceptance_needs_a_reason_and_nothing_else(tmp_path: Path, reason: str) -> None:
    path = tmp_path / "accepted.yaml"
    path.write_text(f"- linter: checkov\n  check: K1\n  places: [a]\n  {reason}\n")

    with pytest.raises(ValueError, match="needs exactly"):
        read_acceptances(path)


def test_what_is_accepted_names_linters_and_renderings_that_exist() -> None:
    acceptances = read_acceptances(ACCEPTED)

    assert {one.linter for one in acceptances} <= {linter.name for linter in LINTERS}
    charts = {rendering.chart for rendering in RENDERINGS}
    assert {place.partition("-")[0] for one in acceptances for place in one.places if ":" in place} <= charts


def test_without_go_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(tools.MissingError, match=r"Go 1\.\d+.* or newer builds it"):
        tools.build("actionlint", tmp_path, go=None)
