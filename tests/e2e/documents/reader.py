"""Somebody who types what a page says, in bash, in a folder like a clone."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[3]
PAGE_SECONDS = 90.0
MAKE = ("make demo", "make setup")
"""Lines that are not run: the tests have an environment, and type what ``make demo`` runs."""
MARK = "-- ended with"


@dataclass(frozen=True, slots=True)
class Step:
    """A command that was run, with what it wrote to standard output and error."""

    command: str
    code: int
    said: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who types what a page says, with a home of their own.

    Attributes:
        folder: The clone, as far as the pages need it.
        environment: Nothing of this machine's own but PATH, HOME and XDG variables.
    """

    folder: Path
    environment: Mapping[str, str]

    def types(self, *commands: str, seconds: float = PAGE_SECONDS) -> list[Step]:
        """Type commands into one shell."""
        lines = "".join(f"{command}\nprintf '\\n{MARK} %s\\n' $?\n" for command in commands)
        with subprocess.Popen(
            ["bash", "-c", lines],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(self.environment),
            cwd=self.folder,
            start_new_session=True,
        ) as shell:
            try:
                output = shell.communicate(timeout=seconds)[0]
            finally:
                # What a page left running in the background ends with its shell.
                with suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
        *parts, _ = re.split(rf"\n{MARK} (\d+)\n", output)
        return [
            Step(command, int(code), said)
            for command, said, code in zip(commands, parts[::2], parts[1::2], strict=True)
        ]


def page_commands(page: str) -> list[str]:
    """Lines after ``$`` in the console blocks of a page, without those that are not run."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    assert all(line.startswith("$ ") for line in lines), lines
    return [line[2:] for line in lines if line[2:] not in MAKE]


def failures(steps: list[Step]) -> list[Step]:
    return [step for step in steps if step.code]


def said(steps: list[Step], command: str) -> str:
    """What the one command that begins like this wrote."""
    (found,) = [step.said for step in steps if step.command.startswith(command)]
    return found


@dataclass(frozen=True, slots=True)
class Doing:
    """One thing that a page tells its reader to do."""

    kind: Literal["command", "key", "answer"]
    text: str


def doings(page: Path) -> list[Doing]:
    """Commands, keys and answers of a page, in their order.

    A key is what the page says to press; an answer is typed and ends with Enter.
    """
    found = re.finditer(
        r"```console\n(?P<block>.*?)```|\b[Pp]ress `(?P<key>[^`]+)`|\banswer\s+`(?P<answer>[^`]+)`",
        page.read_text(),
        re.DOTALL,
    )
    steps: list[Doing] = []
    for each in found:
        if each["block"]:
            steps += [Doing("command", line.removeprefix("$ ")) for line in each["block"].splitlines()]
        elif each["key"]:
            steps.append(Doing("key", each["key"]))
        else:
            steps.append(Doing("answer", each["answer"]))
    return steps
