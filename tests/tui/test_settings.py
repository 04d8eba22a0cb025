"""Flags win over environment, environment over file; what is unknown is refused with the nearest name."""

from pathlib import Path
from typing import Any

import pytest

from selfheal_cli.settings import Settings, load_settings, load_with_origins
from selfheal_cli.settings_text import settings_lines
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
        ("colour = 8\n", "not '8'"),
        ("frames_per_second = 99\n", "config.toml is 99; choose one from 0.2 to 10"),
        ('slow_link = "maybe"\n', "input should be 'auto', 'on' or 'off'"),
        ('slow_lnik = "on"\n', "did you mean 'slow_link'?"),
        ("keys = 3\n", "'keys' in "),
        ("[keys]\nlogs = 3\n", "'keys.logs' in "),
        ("[keys]\nlogs = []\n", 'write "k", or ["k", "up"]'),
        ('[keys]\nverb.rollback = ["R", ""]\n', "'keys.verb.rollback' in "),
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


def test_keys_are_read_as_lists_whichever_way_they_are_written(home: Path) -> None:
    write_file(home, '[keys]\nlogs = "L"\nverb.rollback = ["V"]\n"verb.kill" = "X"\n')
    assert load_settings().keys == {"logs": ("L",), "verb.rollback": ("V",), "verb.kill": ("X",)}


def test_keys_have_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_KEYS", '{"logs": "L"}')
    with pytest.raises(BadUsage, match=r"write a table \[keys\] into .*config.toml"):
        load_settings()


@pytest.mark.parametrize("url", ["https://bob:hunter2@prometheus", "http://hunter2@prometheus:9090/x"])
def test_a_password_in_the_prometheus_url_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SELFHEAL_PROMETHEUS", url)
    with pytest.raises(BadUsage, match=r"SELFHEAL_PROMETHEUS: .*carries a user or password") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_where_each_setting_comes_from_is_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(home, 'glyphs = "ascii"\nnamespace = "from-file"\n')
    monkeypatch.setenv("SELFHEAL_COLOUR", "256")
    monkeypatch.setenv("SELFHEAL_ALL_NAMESPACES", "1")
    path = str(home / "selfheal" / "config.toml")
    assert load_with_origins(context="x").origins == {
        "context": "--context",
        "namespace": path,
        "all_namespaces": "SELFHEAL_ALL_NAMESPACES",
        "glyphs": path,
        "colour": "SELFHEAL_COLOUR",
    }
    assert load_with_origins(namespace="y").origins["all_namespaces"] == "--namespace"


PRINTED: tuple[dict[str, Any], ...] = (
    {},
    {"context": 'a "quoted" \\ name', "namespace": "payments"},
    {"all_namespaces": True, "read_only": True, "kubeconfig": Path("/home/ö/config")},
    {"prometheus": "monitoring/prometheus:9090", "colour": "256", "slow_link": "on", "glyphs": "ascii"},
    {"frames_per_second": 1 / 3, "context": "\x7f\t\u2028😀"},
)


@pytest.mark.parametrize("flags", PRINTED, ids=lambda flags: " ".join(flags) or "defaults")
def test_the_printed_settings_read_as_a_file_are_the_same(home: Path, flags: dict[str, Any]) -> None:
    loaded = load_with_origins(**flags)
    lines = settings_lines(loaded)
    write_file(home, "\n".join(lines))

    again = load_with_origins()
    assert again.settings == loaded.settings
    assert [line.partition("  # ")[0] for line in settings_lines(again)] == [
        line.partition("  # ")[0] for line in lines
    ]


def test_the_printed_settings_say_where_each_comes_from(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(home, "read_only = true\n")
    monkeypatch.setenv("SELFHEAL_GLYPHS", "ascii")
    printed = {line.split()[0]: line.partition("  # ")[2] for line in settings_lines(load_with_origins(namespace="x"))}

    assert printed["namespace"] == "--namespace"
    assert printed["glyphs"] == "SELFHEAL_GLYPHS"
    assert printed["read_only"] == str(home / "selfheal" / "config.toml")
    assert printed["colour"] == "default"
