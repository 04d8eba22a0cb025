"""Settings that the console and the command line share: flags, then environment, then file, then defaults.

The file is ``$XDG_CONFIG_HOME/selfheal/config.toml``; each key there has the name of its ``SELFHEAL_*`` variable in
lower case. An unknown key is refused with the nearest known name: a misspelt ``read_only`` must not mean "write".
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from selfheal_core.errors import BadUsage, did_you_mean

PREFIX = "SELFHEAL_"
OTHER_PROGRAMS = ("SELFHEAL_SERVICE_", "SELFHEAL_HEALERD_", "SELFHEAL_SANDBOX_")
"""Variables of the other programs; they have settings of their own."""
Glyphs = Literal["auto", "unicode", "ascii"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for, from all places together.

    Attributes:
        context: Context of the kubeconfig; None for the current one.
        namespace: Scope; None for the context's own namespace.
        all_namespaces: Scope is every namespace; a namespace given more closely to the caller wins.
        kubeconfig: File; None for the usual places.
        read_only: Refuse every write.
        glyphs: Signs to draw with; ``auto`` goes by the locale.
    """

    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    kubeconfig: Path | None = None
    read_only: bool = False
    glyphs: Glyphs = "auto"

    @property
    def namespaces(self) -> tuple[str, ...] | None:
        """Scope: empty means all namespaces, None the context's own."""
        if self.all_namespaces:
            return ()
        return None if self.namespace is None else (self.namespace,)


class _Model(BaseSettings):
    """Reads and checks; nothing but ``load_settings`` sees it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", case_sensitive=False)

    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    kubeconfig: Path | None = None
    read_only: bool = False
    glyphs: Glyphs = "auto"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a .env file of some project is not meant for us
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=config_path(os.environ))
        return init_settings, env_settings, file


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the file is: ``$XDG_CONFIG_HOME/selfheal/config.toml``, by default below ``~/.config``."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "selfheal" / "config.toml"


def load_settings(**flags: Any) -> Settings:
    """Put flags, environment and file together.

    Args:
        flags: By field name; None means that the flag was not given.

    Raises:
        BadUsage: A key is unknown or a value is wrong; says where, and what would be right.
    """
    _refuse_unknown_variables(os.environ)
    given = {name: value for name, value in flags.items() if value is not None}
    if given.get("namespace") is not None:
        given.setdefault("all_namespaces", False)
    try:
        model = _Model(**given)
    except ValidationError as error:
        raise _in_words(error, given) from None
    except (OSError, ValueError) as error:
        raise BadUsage(f"cannot read {config_path(os.environ)}: {error}", "correct or remove the file") from None
    return Settings(**model.model_dump())


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = [f"{PREFIX}{name.upper()}" for name in _Model.model_fields]
    for name in environ:
        if name.startswith(PREFIX) and not name.startswith(OTHER_PROGRAMS) and name not in known:
            raise BadUsage(f"unknown variable {name} in the environment", did_you_mean(name, known))


def _in_words(error: ValidationError, flags: Mapping[str, Any]) -> BadUsage:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "?"
    if first["type"] == "extra_forbidden":
        what = f"unknown key '{key}' in {config_path(os.environ)}"
        return BadUsage(what, did_you_mean(key, list(_Model.model_fields)))
    return BadUsage(f"{_where(key, flags)}: {first['msg'][:1].lower()}{first['msg'][1:]}, not {first['input']!r}")


def _where(key: str, flags: Mapping[str, Any]) -> str:
    """The place that a wrong value comes from."""
    if key in flags:
        return f"--{key.replace('_', '-')}"
    variable = f"{PREFIX}{key.upper()}"
    return variable if variable in os.environ else f"'{key}' in {config_path(os.environ)}"
