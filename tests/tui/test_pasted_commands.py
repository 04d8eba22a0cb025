"""Commands for the clipboard: what is pasted into a shell is the word that was meant, and nothing is run by pasting."""

import shutil
import subprocess

import pytest

from selfheal_tui.present.kubectl import quoted

WORDS = [
    "web-1",
    "two words",
    "it's",
    "$(touch /tmp/x)`id`",
    "\x1b[201~\nrm -rf x\n",
    "back\\slash\x07'quote",
    "\x9b31m\u202e\u200b",
    "\U0001f468\u200d\U0001f469 容器",
    "",
]


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_a_shell_reads_the_same_word(word: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    script = f"printf %s {quoted(word)}"
    done = subprocess.run([bash, "-c", script], capture_output=True, check=True, timeout=10, env={"LC_ALL": "C.UTF-8"})

    assert done.stdout.decode() == word


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_nothing_in_it_ends_a_paste_or_a_line(word: str) -> None:
    assert quoted(word).isprintable()
