"""What commands print, and what programs write into files, over a cluster of attacks: text, and nothing but text."""

import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest
from wcwidth import wcswidth

from tests.e2e.hostile.attacks import KINDS, NUMBER, Attacks
from tests.e2e.hostile.sequences import MARKER, obeyed_in_text, take_apart

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

SCRIPTS = Path(sysconfig.get_path("scripts"))
CALL_SECONDS = 40.0
PLAIN_KINDS = {"zalgo", "wide", "markup", "path", "format"}
"""Kinds that are text, and only have to be drawn as such."""


class Printed:
    """What a command wrote; none of it may be obeyed, whatever it is."""

    def __init__(self, environ: Mapping[str, str], *command: str | bytes) -> None:
        program, *arguments = command
        done = subprocess.run(
            [SCRIPTS / os.fsdecode(program), *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CALL_SECONDS,
            check=False,
        )
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        assert obeyed_in_text(done.stdout) == []
        assert obeyed_in_text(done.stderr) == []
        assert "Traceback" not in self.out + self.err, self.err


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - PLAIN_KINDS))
def test_each_attack_would_be_noticed(kind: str) -> None:
    assert take_apart(KINDS[kind]("zq0000qz").encode()).forbidden != []
    assert obeyed_in_text(KINDS[kind]("zq0000qz").encode()) != []


def test_the_table_of_applications_is_text_in_columns(environ: Mapping[str, str]) -> None:
    printed = Printed(environ, "selfheal-tui", "--once")
    head, *rows = printed.out.partition("\n\n")[0].splitlines()

    assert printed.code == 0
    assert any("100%" in row for row in rows), "what Prometheus says is read"
    assert len(set(MARKER.findall(printed.out))) > 50
    before = head.index("STATE")
    assert len(rows) > 15
    for row in rows:
        state = next(row.index(word) for word in ("crash loop", "down", "no data", "rolling out") if word in row)
        assert wcswidth(row[:state]) == before, row


@pytest.mark.parametrize("form", ["--plain --once", "--json", "--json --plain --once"])
def test_each_text_form_is_text(environ: Mapping[str, str], form: str) -> None:
    printed = Printed(environ, "selfheal-tui", *form.split())

    assert printed.code == 0
    assert MARKER.search(printed.out)
    if "--json" in form:
        told = json.loads(printed.out)
        assert any("\x1b[" + NUMBER in pod["name"] for pod in told["pods"]), "it is the same text to a program"


@pytest.mark.parametrize(
    "command",
    [
        "selfheal explain target-pod",
        "selfheal explain target",
        "selfheal doctor",
        "selfheal doctor --json",
        "selfheal rollback target",
        "selfheal restart target",
        "selfheal kill target-pod",
    ],
)
def test_commands_about_a_hostile_cluster_print_text(environ: Mapping[str, str], command: str) -> None:
    printed = Printed(environ, *command.split())

    assert MARKER.search(printed.out + printed.err)


@pytest.mark.parametrize(
    "words",
    [
        ["selfheal", "explain"],
        ["selfheal", "kill"],
        ["selfheal", "explain", "target", "--context"],
        ["selfheal", "explain", "target", "-n"],
        ["selfheal", "explain", "target", "--kubeconfig"],
        ["selfheal-tui", "--once", "--context"],
        ["selfheal-tui", "--json", "-n"],
    ],
    ids=" ".join,
)
def test_what_was_typed_is_refused_in_one_line(environ: Mapping[str, str], words: list[str]) -> None:
    typed = Attacks().all().replace("\0", "").encode() + b"\xff\xc3("
    printed = Printed(environ, *words, typed)

    assert printed.code != 0
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith(words[0])
    assert len(printed.err.splitlines()) <= 2, "beside it only that something could not be read"


def test_a_journal_line_is_one_line_whatever_was_given_as_the_reason(environ: Mapping[str, str]) -> None:
    reason = Attacks().all().replace("\0", "").encode() + b"\xff"
    Printed(environ, "selfheal", "restart", "target", "--yes", "--timeout", "1", "--reason", reason)
    journal = Path(environ["XDG_STATE_HOME"], "selfheal", "journal.jsonl").read_bytes()

    assert obeyed_in_text(journal) == []
    entries = [json.loads(line) for line in journal.splitlines()]
    assert len(entries) >= 2
    assert any("zq0001qz" in entry.get("reason", "") for entry in entries)


def _until_it_has_decided(healerd: "subprocess.Popen[bytes]") -> bytes:
    """What it logs up to an eviction, and up to an object that it can't read."""
    log = b""
    assert healerd.stdout is not None
    while b'"eviction"' not in log or b"can't be read" not in log:
        line = healerd.stdout.readline()
        assert line, log.decode()
        log += line
    return log


def test_each_log_record_of_healerd_is_one_line(environ: Mapping[str, str], tmp_path: Path) -> None:
    settings = tmp_path / "healerd.yaml"
    settings.write_text("{listen: {host: 127.0.0.1, port: 0}, knownGood: {soakSeconds: 1}}")
    command: list[str | Path] = [
        SCRIPTS / "healerd",
        "--dry-run",
        "--config",
        settings,
        "--kubeconfig",
        environ["KUBECONFIG"],
    ]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as healerd:
        try:
            log = _until_it_has_decided(healerd)
            healerd.send_signal(signal.SIGTERM)
            log += healerd.communicate(timeout=CALL_SECONDS)[0]
        finally:
            healerd.kill()
    records = [json.loads(line) for line in log.splitlines()]

    assert obeyed_in_text(log) == []
    assert any(MARKER.search(str(record.get("reason"))) for record in records)
