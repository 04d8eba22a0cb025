"""Reads settings from the environment and the file, and words what is wrong in them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from selfheal_cli.settings import FIELDS, PREFIX, Glyphs, config_path
from selfheal_core.errors import BadUsage, did_you_mean


class _Model(BaseSettings):
    """Reads and checks; nothing but ``read_settings`` sees it."""

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


def read_settings(flags: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Put flags, environment and file together, in this order of weight.

    Args:
        flags: Given on the command line, by field name.
        path: The file, for messages.

    Returns:
        Every field's value.

    Raises:
        BadUsage: A key is unknown or a value is wrong.
    """
    try:
        return _Model(**flags).model_dump()
    except ValidationError as error:
        raise _in_words(error, flags, path) from None
    except (OSError, ValueError) as error:
        raise BadUsage(f"cannot read {path}: {error}", "correct or remove the file") from None


def _in_words(error: ValidationError, flags: Mapping[str, Any], path: Path) -> BadUsage:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "?"
    if first["type"] == "extra_forbidden":
        return BadUsage(f"unknown key '{key}' in {path}", did_you_mean(key, list(FIELDS)))
    is_bool = first["type"].startswith("bool_")
    message = "input should be true or false" if is_bool else f"{first['msg'][:1].lower()}{first['msg'][1:]}"
    return BadUsage(f"{_where(key, flags, path)}: {message}, not {first['input']!r}", "correct it or leave it out")


def _where(key: str, flags: Mapping[str, Any], path: Path) -> str:
    """The place that a wrong value comes from."""
    if key in flags:
        return f"--{key.replace('_', '-')}"
    variable = f"{PREFIX}{key.upper()}"
    return variable if variable in os.environ else f"'{key}' in {path}"
