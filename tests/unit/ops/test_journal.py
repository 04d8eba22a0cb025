"""The journal: private, bounded, readable, and refused when it can't be written."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal_core.errors import Refused
from selfheal_core.ops.journal import Entry, Journal, default_path, read_journal


def entry(number: int, text: str = "killed app-a-1") -> Entry:
    return Entry(
        at=1_790_000_000.0 + number,
        operation_id=f"op-{number}",
        step="intent",
        verb="kill",
        namespace="payments",
        target="app-a-1",
        text=text,
        user="oncall",
        host="bastion-1",
        source="console",
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keeps_what_was_written_and_shows_it_to_its_user_only(tmp_path: Path) -> None:
    file = tmp_path / "state" / "selfheal" / "journal.jsonl"
    journal = Journal(file)
    journal.check()
    journal.write(entry(1))
    journal.write(entry(2, 'with "quotes", a\nline and ü'))
    assert read_journal(file) == (entry(1), entry(2, 'with "quotes", a\nline and ü'))
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert file.read_text().count("\n") == 2


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text("")
    file.chmod(0o644)
    Journal(file).write(entry(1))
    assert mode(file) == 0o600


def test_is_bounded_and_keeps_one_older_part(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file, limit_bytes=1_000)
    for number in range(30):
        journal.write(entry(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.jsonl", "journal.jsonl.1"]
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())
    newest = read_journal(file, tail=5)
    assert [found.operation_id for found in newest] == [f"op-{number}" for number in range(25, 30)]


def test_reading_reaches_into_the_older_part(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file, limit_bytes=500)
    for number in range(4):
        journal.write(entry(number))
    assert [found.operation_id for found in read_journal(file, tail=3)] == ["op-1", "op-2", "op-3"]


def test_lines_that_can_not_be_read_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    Journal(file).write(entry(1))
    with file.open("ab") as opened:
        opened.write(b'{"at": 1}\nnonsense\n\xff\xfe\n')
    Journal(file).write(entry(2))
    assert [found.operation_id for found in read_journal(file)] == ["op-1", "op-2"]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal.jsonl") == ()


def test_a_journal_that_can_not_be_written_refuses_and_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, no folder")
    journal = Journal(tmp_path / "state" / "journal.jsonl")
    for attempt in (journal.check, lambda: journal.write(entry(1))):
        with pytest.raises(Refused, match=r"journal\.jsonl can't be written .*, so nothing is changed"):
            attempt()


FULL = """
import resource, sys
from pathlib import Path
from selfheal_core.errors import Refused
from selfheal_core.ops.journal import Entry, Journal

# The disk has room for one entry and a part of the next.
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
journal = Journal(Path(sys.argv[1]))
entry = Entry(1.0, "op", "intent", "kill", "payments", "app-a-1", "killed", "oncall", "bastion-1", "console")
journal.write(entry)
try:
    journal.write(entry)
except Refused as error:
    print(error.what)
"""


def test_an_entry_that_a_full_disk_cuts_is_refused_and_spoils_no_later_one(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    cut = subprocess.run(
        [sys.executable, "-c", FULL, str(file)], capture_output=True, text=True, timeout=30, check=True
    )
    assert cut.stdout == f"the journal {file} can't be written (No space left on device), so nothing is changed\n"
    assert file.stat().st_size == 300

    Journal(file).write(entry(2))

    assert [found.operation_id for found in read_journal(file)] == ["op", "op-2"]


def test_the_usual_place(tmp_path: Path) -> None:
    assert default_path({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/selfheal/journal.jsonl")
    assert default_path({"HOME": "/home/oncall"}) == Path("/home/oncall/.local/state/selfheal/journal.jsonl")
