"""What the documents name exists: links, files, make targets, commands and their flags."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from healerd.main import main as healerd
from selfheal_cli.main import main as selfheal
from selfheal_sandbox.main import main as selfheal_sandbox
from selfheal_tui.main import main as selfheal_tui

ROOT = Path(__file__).parents[2]
LINE_LIMIT = 140
"""Characters; tables and commands have no other form."""
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMANDS: dict[str, click.Command] = {
    "selfheal": selfheal,
    "selfheal-tui": selfheal_tui,
    "selfheal-sandbox": selfheal_sandbox,
    "healerd": healerd,
}


def names(documents: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in documents]


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_resolve(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    local = [target for target in targets if "://" not in target]

    assert [target for target in local if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z0-9-]+)", document.read_text())) | set(
        re.findall(r"^\$ make ([a-z0-9-]+)", document.read_text(), re.MULTILINE)
    )

    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_files_that_are_named_exist(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", text)

    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_lines_fit_on_a_screen(document: Path) -> None:
    lines = document.read_text().splitlines()

    assert [line for line in lines if len(line) > LINE_LIMIT and not line.startswith(("|", "$ "))] == []


def command_lines(text: str) -> Iterator[list[str]]:
    """Command lines of ours in console blocks and in inline code."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.startswith("$ ")]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [*lines, *inline]:
        for part in re.findall(r"\$\(([^()]*)\)", line) or [line]:
            try:
                words = shlex.split(part, comments=True)
            except ValueError:
                continue
            if words and Path(words[0]).name in COMMANDS:
                yield [Path(words[0]).name, *words[1:]]


def complaints(words: list[str]) -> Iterator[str]:
    """What is named in a command line and does not exist."""
    command = COMMANDS[words[0]]
    position = 1
    while isinstance(command, click.Group) and position < len(words) and re.fullmatch(r"[a-z][a-z-]*", words[position]):
        found = command.commands.get(words[position])
        if found is None:
            yield f"{shlex.join(words)}: no command '{words[position]}'"
            return
        command, position = found, position + 1
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    for word in words[position:]:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in flags:
            yield f"{shlex.join(words)}: no flag '{flag}'"


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_commands_and_flags_exist(document: Path) -> None:
    found = [complaint for words in command_lines(document.read_text()) for complaint in complaints(words)]

    assert found == []


def test_command_lines_are_found_in_the_readme() -> None:
    assert list(command_lines((ROOT / "README.md").read_text()))
