"""The linters: how each is started and how its findings are read."""

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.findings import Finding
from checks.tools import installed

DEADLINE_SECONDS = 300.0
OLDEST_KUBERNETES = "v1.30"
BEST_GRADE = 10
"""What kube-score gives where it has nothing to say."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: a checkout, and a folder with what its charts render to, one YAML file per rendering."""

    root: Path
    rendered: Path


class LinterError(Exception):
    """A linter did not do its work; the message says what it printed."""


def run_json(linter: str, command: list[str], folder: Path) -> Any:
    """Return what a linter prints as JSON in a folder; its exit code only says whether it found something.

    Raises:
        LinterError: it did not run, or what it prints is no JSON.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LinterError(f"{linter}: {error}") from None
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        said = (done.stderr or done.stdout).strip()
        raise LinterError(f"{linter} exited with {done.returncode}: {said}") from None


def shell_scripts(root: Path) -> list[str]:
    """Return the shell scripts of a checkout, as seen from its root."""
    return [".ci/run", *(str(path.relative_to(root)) for path in sorted(root.glob("[!.]*/**/*.sh")))]


def hadolint(program: Path, subject: Subject) -> Iterator[Finding]:
    """Check the Containerfile."""
    for found in run_json("hadolint", [str(program), "--format", "json", "Containerfile"], subject.root):
        yield Finding("hadolint", found["code"], found["file"], f"line {found['line']}: {found['message']}")


def shellcheck(program: Path, subject: Subject) -> Iterator[Finding]:
    """Check the shell scripts."""
    found = run_json(
        "shellcheck",
        [str(program), "--format", "json1", "--severity", "style", *shell_scripts(subject.root)],
        subject.root,
    )
    for one in found["comments"]:
        yield Finding("shellcheck", f"SC{one['code']}", one["file"], f"line {one['line']}: {one['message']}")


def actionlint(program: Path, subject: Subject) -> Iterator[Finding]:
    """Check the workflows, and with shellcheck the scripts in them."""
    command = [str(program), "-format", "{{json .}}", "-shellcheck", str(installed("shellcheck"))]
    command += sorted(str(path) for path in (subject.root / ".github/workflows").glob("*.y*ml"))
    for found in run_json("actionlint", command, subject.root):
        yield Finding("actionlint", found["kind"], found["filepath"], f"line {found['line']}: {found['message']}")


def zizmor(program: Path, subject: Subject) -> Iterator[Finding]:
    """Check the security of the workflows, without asking anybody outside."""
    command = [str(program), "--offline", "--persona", "auditor", "--format", "json-v1", ".github"]
    for found in run_json("zizmor", command, subject.root):
        where = found["locations"][0]
        line = where["concrete"]["location"]["start_point"]["row"] + 1
        file = where["symbolic"]["key"]["Local"]["verbatim_path"]
        yield Finding("zizmor", found["ident"], file, f"line {line}: {found['desc']}")


def checkov(program: Path, subject: Subject) -> Iterator[Finding]:
    """Check what the charts render to."""
    command = [str(program), "--directory", str(subject.rendered), "--framework", "kubernetes", "--output", "json"]
    report = run_json("checkov", [*command, "--quiet", "--compact", "--skip-download"], subject.rendered)
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        raise LinterError(f"checkov did not read every rendering: {report['summary']}")
    for found in report["results"]["failed_checks"]:
        kind, _, rest = found["resource"].partition(".")
        name = rest.split(".")[1]
        place = f"{Path(found['file_path']).stem}:{kind}/{name}"
        yield Finding("checkov", found["check_id"], place, found["check_name"])


def kube_score(program: Path, subject: Subject) -> Iterator[Finding]:
    """Check what the charts render to by another opinion."""
    files = [str(path) for path in sorted(subject.rendered.glob("*.yaml"))]
    command = [str(program), "score", "--output-format", "json", "--kubernetes-version", OLDEST_KUBERNETES]
    for scored in run_json("kube-score", [*command, *files], subject.rendered):
        meta = scored["object_meta"]
        place = f"{meta.get('namespace', 'cluster')}:{scored['type_meta']['kind']}/{meta['name']}"
        yield from scored_below_best(place, scored["checks"])


def scored_below_best(place: str, checks: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Return what kube-score has to say about one object."""
    for one in checks:
        if not one["skipped"] and one["grade"] < BEST_GRADE:
            said = "; ".join(comment["summary"] for comment in one["comments"] or ())
            yield Finding("kube-score", one["check"]["id"], place, said or one["check"]["name"])


@dataclass(frozen=True, slots=True)
class Linter:
    """A linter: its name, and what starts its program and reads what that finds."""

    name: str
    look: Callable[[Path, Subject], Iterator[Finding]]


LINTERS = (
    Linter("hadolint", hadolint),
    Linter("shellcheck", shellcheck),
    Linter("actionlint", actionlint),
    Linter("zizmor", zizmor),
    Linter("checkov", checkov),
    Linter("kube-score", kube_score),
)
