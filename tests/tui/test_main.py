"""What the command says before a screen opens: one line, an exit code, and the next thing to type."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-m", "selfheal_tui.main")


def call(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal, in a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SELFHEAL_", "KUBECONFIG"))}
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def refusing(home: Path) -> Path:
    """A kubeconfig whose server refuses connections (port 9, discard, is closed)."""
    path = home / "refusing"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    document = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {"token": "t"}}]}
    path.write_text(json.dumps({**document, "current-context": "c"}))
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "needs a terminal; use --once, --plain or --json"),
        (("--bogus",), 2, "--bogus"),
        (("-n", "a", "-A", "--once"), 2, "contradict"),
        (("--once",), 2, "selfheal-tui --sandbox"),
        (("--once", "--kubeconfig", "/nonexistent"), 2, "/nonexistent"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = call(tmp_path, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_an_unreachable_cluster_is_exit_code_4(tmp_path: Path) -> None:
    done = call(tmp_path, "--once", "--kubeconfig", str(refusing(tmp_path)))
    assert done.returncode == 4
    assert "refused" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_misspelt_setting_is_refused(tmp_path: Path) -> None:
    done = call(tmp_path, "--once", SELFHEAL_READ_OLNY="1")
    assert done.returncode == 2
    assert "did you mean 'SELFHEAL_READ_ONLY'?" in done.stderr


def test_the_printed_configuration_is_a_file_that_gives_itself(tmp_path: Path) -> None:
    folder = tmp_path / "selfheal"
    folder.mkdir()
    (folder / "config.toml").write_text('namespace = "payments"\n[keys]\nverb.rollback = "V"\nlogs = ["L", "f3"]\n')
    first = call(tmp_path, "--print-config", "--colour", "never", SELFHEAL_READ_ONLY="1")
    assert (first.returncode, first.stderr) == (0, "")
    assert tomllib.loads(first.stdout)["keys"] == {"verb": {"rollback": ["V"]}, "logs": ["L", "f3"]}

    (folder / "config.toml").write_text(first.stdout)
    second = call(tmp_path, "--print-config")
    assert tomllib.loads(second.stdout) == tomllib.loads(first.stdout)


def test_a_wrong_keymap_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "selfheal"
    folder.mkdir()
    (folder / "config.toml").write_text('[keys]\nverb.rollback = "ctrl+r"\n')
    done = call(tmp_path, "--print-config")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'keys.verb.rollback' in " in done.stderr
    assert "verbs have one of A to Z" in done.stderr


def test_help_and_version_import_no_textual(tmp_path: Path) -> None:
    code = "import sys; from selfheal_tui.main import main; main(['--help']); assert 'textual' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "--sandbox" in done.stdout


def test_what_the_screens_say_is_made_without_textual() -> None:
    code = (
        "import sys, pkgutil, importlib, selfheal_tui.present as p\n"
        "for m in pkgutil.iter_modules(p.__path__): importlib.import_module(f'selfheal_tui.present.{m.name}')\n"
        "import selfheal_cli.text, selfheal_cli.words\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('textual', 'rich')]\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
