"""Run the linters: ``python -m checks`` all of them, ``python -m checks NAME...`` some.

Exit code 0 if nothing was found that is not accepted in writing, else 1; 2 for an unknown name. A linter that cannot be
had on this machine is named at the end as ``not run``; with ``REQUIRE_EVERY_LINTER=1``, as in CI, that fails too.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from checks.findings import Acceptance, not_accepted, outdated, read_acceptances
from checks.linters import LINTERS, Linter, LinterError, Subject
from checks.renderings import RENDERINGS, ROOT, RenderError, render
from checks.tools import MissingError, find
from selfheal_sandbox.tools.fetch import FetchError
from selfheal_sandbox.tools.resolve import resolve
from selfheal_sandbox.tools.versions import HELM

REQUIRE = "REQUIRE_EVERY_LINTER"


def main() -> None:
    """Run what the command line names."""
    known = {linter.name: linter for linter in LINTERS}
    names = sys.argv[1:]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.stderr.write(f"unknown linter '{unknown[0]}'; known: {', '.join(known)}\n")
        sys.exit(2)
    sys.exit(run([known[name] for name in names] or LINTERS))


def run(linters: Sequence[Linter]) -> int:
    """Run linters over one set of renderings and print what comes out; return the exit code."""
    acceptances = read_acceptances()
    complaints, missing = 0, []
    with tempfile.TemporaryDirectory() as name:
        try:
            write_renderings(Path(name))
        except (FetchError, RenderError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        for linter in linters:
            try:
                complaints += report(linter, acceptances, Subject(ROOT, Path(name)))
            except MissingError as error:
                missing.append(f"not run: {linter.name}: {error}")
    for sentence in missing:
        sys.stdout.write(f"{sentence}\n")
    return int(complaints > 0 or (bool(missing) and os.environ.get(REQUIRE) == "1"))


def write_renderings(folder: Path) -> None:
    """Render the charts into a folder, one file each."""
    helm = resolve((HELM,))["helm"]
    for rendering in RENDERINGS:
        (folder / f"{rendering.name}.yaml").write_text(render(helm, rendering))


def report(linter: Linter, acceptances: Sequence[Acceptance], subject: Subject) -> int:
    """Run one linter and print what it found; return the number of complaints.

    Raises:
        MissingError: it cannot be had.
    """
    program = find(linter.name)
    try:
        findings = tuple(linter.look(program, subject))
    except LinterError as error:
        sys.stdout.write(f"FAILED {error}\n")
        return 1
    new = not_accepted(findings, acceptances)
    lines = [f"{linter.name} {one.check} {one.place}: {one.detail}" for one in new]
    lines += outdated(linter.name, findings, acceptances)
    accepted = len(findings) - len(new)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.write(f"{'FAILED' if lines else 'ok'} {linter.name}: {len(new)} findings, {accepted} accepted\n")
    sys.stdout.flush()
    return len(lines)


if __name__ == "__main__":
    main()
