"""A line of the journal can be shown on a terminal, whatever was written down."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from selfheal_core.ops.journal import Journal, as_line, read_journal
from tests.unit.ops.test_journal import entry


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_line_holds_what_was_written_and_nothing_that_a_terminal_obeys(text: str) -> None:
    written = as_line(entry(1, text)).decode()

    assert written.removesuffix("\n").isprintable()
    assert json.loads(written)["text"] == text


def test_bytes_of_a_command_line_that_are_no_text_do_not_stop_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(entry(1, b"because \xff\xc3(".decode(errors="surrogateescape")))

    assert [each.text for each in read_journal(journal.path)] == ["because ??("]
