"""Flags win over environment, environment over file; what is unknown is refused with the nearest name."""

from pathlib import Path

import pytest

from selfheal_cli.settings import Settings, load_settings
from selfheal_core.errors import BadUsage


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own: the machine's settings are none of a test's business."""
    import os

    for name in list(os.environ):
        if name.startswith("SELFHEAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def write_file(home: Path, text: str) -> None:
    folder = home / "selfheal"
    folder.mkdir()
    (folder / "config.toml").write_text(text)


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_flags_win_over_environment_and_environment_over_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(home, 'context = "from-file"\nnamespace = "from-file"\nglyphs = "ascii"\n')
    monkeypatch.setenv("SELFHEAL_CONTEXT", "from-environment")
    monkeypatch.setenv("SELFHEAL_NAMESPACE", "from-environment")
    settings = load_settings(context="from-flag", namespace=None)
    assert (settings.context, settings.namespace, settings.glyphs) == ("from-flag", "from-environment", "ascii")


def test_read_only_can_come_from_the_file_alone(home: Path) -> None:
    write_file(home, "read_only = true\n")
    assert load_settings(read_only=None).read_only


def test_a_namespace_given_as_a_flag_wins_over_all_namespaces_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_ALL_NAMESPACES", "true")
    assert load_settings().namespaces == ()
    assert load_settings(namespace="payments").namespaces == ("payments",)
    assert load_settings(all_namespaces=None, namespace=None).namespaces == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("read_olny = true\n", "unknown key 'read_olny'"),
        ("read_olny = true\n", "did you mean 'read_only'?"),
        ('read_only = "perhaps"\n', "'read_only' in "),
        ('glyphs = "emoji"\n', "not 'emoji'"),
        ("context = \n", "cannot read"),
    ],
)
def test_a_wrong_file_is_refused_in_words(home: Path, text: str, said: str) -> None:
    write_file(home, text)
    with pytest.raises(BadUsage) as refused:
        load_settings()
    assert said in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_misspelt_variable_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_READONLY", "1")
    with pytest.raises(BadUsage, match=r"did you mean 'SELFHEAL_READ_ONLY'\?"):
        load_settings()


def test_a_wrong_value_of_a_variable_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_READ_ONLY", "perhaps")
    with pytest.raises(BadUsage, match="SELFHEAL_READ_ONLY: "):
        load_settings()


def test_variables_of_the_other_programs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_SERVICE_PORT", "8080")
    monkeypatch.setenv("SELFHEAL_HEALERD_HOST", "127.0.0.1")
    monkeypatch.setenv("SELFHEAL_SANDBOX_ID", "x")
    assert load_settings() == Settings()
