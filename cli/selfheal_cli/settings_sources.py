"""Reads settings from the environment and the file, and words what is wrong in them."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ValidationError, create_model, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from selfheal_core.errors import BadUsage, did_you_mean

KEYS = "keys"
"""The one setting that is a table, in the file only."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where settings are read from.

    Attributes:
        prefix: Of the variables.
        path: The file.
        flags: What each value of the command line is called there, by field.
    """

    prefix: str
    environ: Mapping[str, str]
    path: Path
    flags: Mapping[str, str]


class _Sources(BaseSettings):
    """Flags, environment, file; nothing outside this module sees it."""

    model_config = SettingsConfigDict(extra="forbid", case_sensitive=False)

    @field_validator("colour", mode="before", check_fields=False)
    @classmethod
    def _number_as_word(cls, value: Any) -> Any:
        """``colour = 256`` is what one writes in TOML."""
        return str(value) if type(value) is int else value

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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def read_settings(shape: type[Any], flags: Mapping[str, Any], places: Places) -> tuple[dict[str, Any], dict[str, str]]:
    """Put flags, environment and file together, in this order of weight.

    Args:
        shape: A dataclass whose fields are the settings, each with a default.
        flags: Given on the command line, by field name.
        places: Where to read.

    Returns:
        Every field's value, and where each that is no default comes from.

    Raises:
        BadUsage: A key is unknown or a value is wrong.
    """
    try:
        values = _model(shape, places)(**flags).model_dump()
        in_file = tomllib.loads(places.path.read_text(encoding="utf-8")) if places.path.exists() else {}
    except ValidationError as error:
        raise _in_words(error, shape, places) from None
    except (OSError, ValueError) as error:
        raise BadUsage(f"cannot read {places.path}: {error}", "correct or remove the file") from None
    values[KEYS] = dict(_key_table(values[KEYS], "", places.path))
    return values, {name: origin for name in values if (origin := _origin(name, in_file, places))}


def _model(shape: type[Any], places: Places) -> type[_Sources]:
    """The settings as something that pydantic fills."""

    class Model(_Sources):
        model_config = SettingsConfigDict(env_prefix=places.prefix, toml_file=places.path)

    hints = get_type_hints(shape)
    plain = {each.name: (hints[each.name], each.default) for each in fields(shape) if each.name != KEYS}
    definitions: dict[str, Any] = {**plain, KEYS: (dict[str, Any], {})}
    return create_model("Model", __base__=Model, **definitions)


def _key_table(table: Mapping[str, Any], above: str, path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Commands and their keys; ``verb.rollback = "R"`` is a table in a table for TOML."""
    for name, value in table.items():
        command = f"{above}{name}"
        if isinstance(value, dict):
            yield from _key_table(value, f"{command}.", path)
            continue
        keys = [value] if isinstance(value, str) else value
        if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
            raise BadUsage(f"'keys.{command}' in {path}: {value!r} is no key", 'write "k", or ["k", "up"]')
        yield command, tuple(keys)


def _origin(name: str, in_file: Mapping[str, Any], places: Places) -> str:
    """The place that a value comes from, as people call it; "" for a default."""
    if name in places.flags:
        return places.flags[name]
    variable = f"{places.prefix}{name.upper()}"
    if variable in places.environ:
        return variable
    return str(places.path) if name in in_file else ""


def _in_words(error: ValidationError, shape: type[Any], places: Places) -> BadUsage:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "?"
    if first["type"] == "extra_forbidden":
        return BadUsage(f"unknown key '{key}' in {places.path}", did_you_mean(key, [f.name for f in fields(shape)]))
    is_bool = first["type"].startswith("bool_")
    message = "input should be true or false" if is_bool else f"{first['msg'][:1].lower()}{first['msg'][1:]}"
    where = _origin(key, {}, places) or f"'{key}' in {places.path}"
    return BadUsage(f"{where}: {message}, not {first['input']!r}", "correct it or leave it out")
