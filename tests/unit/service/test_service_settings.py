import dataclasses

import pytest

from selfheal_service.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in dataclasses.fields(Settings):
        monkeypatch.delenv(f"SELFHEAL_SERVICE_{field.name.upper()}", raising=False)


def test_defaults_listen_on_loopback_without_practice() -> None:
    settings = load()
    assert settings == Settings()
    assert (settings.host, settings.port, settings.practice, settings.drain_seconds) == ("127.0.0.1", 8080, False, 5)


def test_every_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Settings("web", "1.1", "0.0.0.0", 9000, 1.5, 2.5, 20.0, 30, practice=True, log_level="debug")
    for field in dataclasses.fields(Settings):
        monkeypatch.setenv(f"SELFHEAL_SERVICE_{field.name.upper()}", str(getattr(wanted, field.name)))
    assert load() == wanted


def test_an_unknown_variable_is_refused_with_the_nearest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_SERVICE_DRAIN_SECOND", "3")
    with pytest.raises(
        SettingsError, match=r"SELFHEAL_SERVICE_DRAIN_SECOND; did you mean SELFHEAL_SERVICE_DRAIN_SECONDS"
    ):
        load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("PORT", "tcp://10.0.0.1:80"),
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "nan"),
        ("PRACTICE", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("NAME", ""),
        ("KEEP_ALIVE_SECONDS", "0"),
    ],
)
def test_a_bad_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(f"SELFHEAL_SERVICE_{variable}", value)
    with pytest.raises(SettingsError) as refusal:
        load()
    message = str(refusal.value)
    assert message.startswith(f"SELFHEAL_SERVICE_{variable}={value!r}: ")
    assert "\n" not in message


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_SERVICE_PORT", "x")
    monkeypatch.setenv("SELFHEAL_SERVICE_PRACTICE", "x")
    with pytest.raises(SettingsError, match=r"PORT.*; .*PRACTICE"):
        load()
