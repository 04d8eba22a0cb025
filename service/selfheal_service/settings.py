"""Settings of the service: `SELFHEAL_SERVICE_*` environment variables that become one frozen dataclass."""

import difflib
import os
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SELFHEAL_SERVICE_"

LogLevel = Literal["debug", "info", "warning", "error"]
_Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class SettingsError(ValueError):
    """The environment cannot be used; the message is one line that names the variable and what it may hold."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one process of the service runs.

    Attributes:
        name: Name answered by `/`, also the service name of spans and logs.
        version: Version shown in logs, spans and metrics.
        host: Address to listen on; loopback unless told otherwise.
        port: Port to listen on; 0 takes a free one and logs it.
        drain_seconds: How long the service keeps serving after SIGTERM, not ready.
        linger_seconds: How long an idle kept-alive connection may still bring its last request after the drain.
        finish_seconds: Deadline, after the drain, of everything that is in flight.
        keep_alive_seconds: How long an idle connection is kept before SIGTERM; longer than clients keep theirs,
            so that the side that sends is the side that closes.
        practice: Whether the practice switches under `/practice` exist.
        log_level: Least severe level that is logged.
    """

    name: str = "selfheal-service"
    version: str = "dev"
    host: str = "127.0.0.1"
    port: int = 8080
    drain_seconds: float = 5.0
    linger_seconds: float = 10.0
    finish_seconds: float = 25.0
    keep_alive_seconds: int = 75
    practice: bool = False
    log_level: LogLevel = "info"


_DEFAULTS = Settings()


class _Environment(BaseSettings):
    """The environment as pydantic reads it; only `load` sees it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=253)] = _DEFAULTS.name
    version: Annotated[str, Field(min_length=1, max_length=128)] = _DEFAULTS.version
    host: Annotated[str, Field(min_length=1, max_length=253)] = _DEFAULTS.host
    port: Annotated[int, Field(ge=0, le=65535)] = _DEFAULTS.port
    drain_seconds: _Seconds = _DEFAULTS.drain_seconds
    linger_seconds: _Seconds = _DEFAULTS.linger_seconds
    finish_seconds: _Seconds = _DEFAULTS.finish_seconds
    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = _DEFAULTS.keep_alive_seconds
    practice: bool = _DEFAULTS.practice
    log_level: LogLevel = _DEFAULTS.log_level


def load() -> Settings:
    """Read the settings from the environment.

    Returns:
        The settings, defaults included.

    Raises:
        SettingsError: A `SELFHEAL_SERVICE_*` variable is unknown or holds a value out of its range.
    """
    known = [PREFIX + field.upper() for field in _Environment.model_fields]
    for variable in os.environ:
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            raise SettingsError(_unknown(variable, known))
    try:
        environment = _Environment()
    except ValidationError as error:
        raise SettingsError(_invalid(error)) from error
    return Settings(**environment.model_dump())


def _unknown(variable: str, known: list[str]) -> str:
    """Refusal of a variable that no setting reads, with the nearest that one does."""
    nearest = difflib.get_close_matches(variable.upper(), known, n=1, cutoff=0.0)[0]
    return f"unknown variable {variable}; did you mean {nearest}? Known: {', '.join(known)}"


def _invalid(error: ValidationError) -> str:
    """Refusal of values, one clause per variable."""
    clauses = []
    for detail in error.errors(include_url=False):
        variable = PREFIX + "_".join(str(part) for part in detail["loc"]).upper()
        clauses.append(f"{variable}={str(detail['input'])[:80]!r}: {detail['msg'].lower()}")
    return "; ".join([*clauses, "correct it or leave it out"])
