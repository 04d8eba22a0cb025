"""Change the decisions one operator, constant or argument at a time, and see whether a test notices.

``python -m checks.mutation [MODULE...]`` for modules of `selfheal_core.domain`, ``--all`` for every one. mutmut makes
the changes and runs the tests, in a copy under `.cache/mutation` whose folders stand as it wants them. Exit code 0
whatever survives: this is a list to read, not a gate.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

from checks.renderings import ROOT

PACKAGE = ROOT / "core" / "selfheal_core"
DOMAIN = PACKAGE / "domain"
COPY = ROOT / ".cache" / "mutation"
TESTS = ("tests/unit/domain", "tests/conftest.py")
DEFAULT = ("heal", "known_good", "rollback")
"""What decides which pod goes and which revision comes back."""
DEADLINE_SECONDS = 3600.0
SETTINGS = """\
[tool.mutmut]
source_paths = ["selfheal_core"]
only_mutate = [{modules}]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = ["tests/unit/domain"]
use_setproctitle = false
use_git_change_detection = false

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
pythonpath = ["."]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
"""


def main() -> None:
    """Mutate what the command line names."""
    known = sorted(path.stem for path in DOMAIN.glob("*.py") if path.stem != "__init__")
    names = known if sys.argv[1:] == ["--all"] else sys.argv[1:] or list(DEFAULT)
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.stderr.write(f"no module '{unknown[0]}' in domain; there are: {', '.join(known)}\n")
        sys.exit(2)
    lay_out(names)
    sys.stdout.write(f"mutating {', '.join(names)}: about eight changes a second\n")
    sys.stdout.flush()
    done = mutmut("run")
    if done.returncode != 0:
        sys.stderr.write(f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\nmutmut ended with {done.returncode}\n")
        sys.exit(1)
    sys.stdout.write("".join(f"{line}\n" for line in told(verdicts(mutmut("results", "--all", "true").stdout))))


def lay_out(modules: Sequence[str]) -> None:
    """Copy the package and the tests of the domain, and write the settings."""
    shutil.rmtree(COPY, ignore_errors=True)
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, COPY / PACKAGE.name, ignore=skipped)
    for name in TESTS:
        source, target = ROOT / name, COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=skipped)
        else:
            shutil.copy(source, target)
    files = ", ".join(f'"selfheal_core/domain/{module}.py"' for module in modules)
    (COPY / "pyproject.toml").write_text(SETTINGS.format(modules=files))


def mutmut(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut in the copy."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(
        command, cwd=COPY, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False, errors="replace"
    )


def verdicts(results: str) -> dict[str, str]:
    """Return what became of each change: ``killed``, ``survived``, ``no tests``, ``timeout``, ..."""
    return dict(re.findall(r"^\s*(selfheal_core\S+): (.+?)\s*$", results, re.MULTILINE))


def told(found: dict[str, str]) -> list[str]:
    """Return what survived, as changes, and the sums by module."""
    lines: list[str] = []
    for name, verdict in found.items():
        if verdict not in ("killed", "timeout", "no tests"):
            change = mutmut("show", name).stdout.splitlines()
            lines += [f"{verdict}: {name}", *(line for line in change if re.match(r"[-+](?![-+])", line)), ""]
    untested = sorted({function_of(name) for name, verdict in found.items() if verdict == "no tests"})
    lines += [f"no test enters {name}" for name in untested]
    for module in sorted({module_of(name) for name in found}):
        sums = Counter(verdict for name, verdict in found.items() if module_of(name) == module)
        killed = sums["killed"] + sums["timeout"]
        parts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(sums.items()))
        lines.append(f"{module}: {killed} of {sums.total()} changes noticed ({killed / sums.total():.0%}): {parts}")
    return lines


def module_of(name: str) -> str:
    """Return the module of a change such as ``selfheal_core.domain.heal.x_decide__mutmut_3``: ``heal``."""
    return name.split(".")[2]


def function_of(name: str) -> str:
    """Return the function of a change: ``heal.decide``."""
    function = name.rsplit(".", 1)[1].rsplit("__mutmut_", 1)[0].removeprefix("x_")
    return f"{module_of(name)}.{function}"


if __name__ == "__main__":
    main()
