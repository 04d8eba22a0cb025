"""What healerd reads from its mounted YAML file, checked once, then frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from selfheal_core.domain.heal import HealPolicy
from selfheal_core.errors import BadUsage, did_you_mean

VARIABLE_PREFIX = "SELFHEAL_HEALERD_"
HOST_VARIABLE = f"{VARIABLE_PREFIX}HOST"
PROTECTED_NAMESPACES = frozenset({"kube-system"})


@dataclass(frozen=True, slots=True)
class Configuration:
    """How healerd behaves.

    Attributes:
        policy: What the decision may do.
        dry_run: Record what would be done, do nothing.
        soak_seconds: How long all pods of a revision must be Ready before it counts as known good.
        host: Address that ``/metrics`` and ``/healthz`` listen on.
        port: Port of the same.
        silent_seconds: ``/healthz`` fails once the watch has not proved itself for this long.
    """

    policy: HealPolicy
    dry_run: bool = False
    soak_seconds: float = 60.0
    host: str = "0.0.0.0"  # noqa: S104 - a pod's port; the kubelet's probe and Prometheus come from outside
    port: int = 8081
    silent_seconds: float = 180.0

    def with_dry_run(self) -> "Configuration":
        """The same, but doing nothing."""
        return replace(self, dry_run=True)


class _Section(BaseModel):
    """Unknown keys are refused; names are camelCase, as everywhere in Kubernetes."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class _Policy(_Section):
    max_restarts: Annotated[int, Field(ge=1)] = 3
    retry_seconds: Annotated[float, Field(gt=0)] = 60.0
    owner_interval_seconds: Annotated[float, Field(ge=0)] = 120.0


class _Namespaces(_Section):
    excluded: tuple[str, ...] = ()


class _KnownGood(_Section):
    soak_seconds: Annotated[float, Field(gt=0)] = 60.0


class _Listen(_Section):
    host: str = "0.0.0.0"  # noqa: S104 - as above
    port: Annotated[int, Field(ge=0, le=65535)] = 8081


class _File(_Section):
    policy: _Policy = _Policy()
    namespaces: _Namespaces = _Namespaces()
    known_good: _KnownGood = _KnownGood()
    listen: _Listen = _Listen()
    dry_run: bool = False


def refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    """Refuse a variable that looks like ours and is none.

    Raises:
        BadUsage: Names it, and the one that there is.
    """
    for name in environ:
        if name.startswith(VARIABLE_PREFIX) and name != HOST_VARIABLE:
            raise BadUsage(f"unknown variable {name} in the environment", did_you_mean(name, [HOST_VARIABLE]))


def load(path: Path | None, *, own_namespace: str, host: str | None = None) -> Configuration:
    """Read the file; without one, the defaults hold.

    Args:
        path: The YAML file.
        own_namespace: Where healerd runs; it is never touched.
        host: Overrides ``listen.host``.

    Raises:
        BadUsage: The file can't be read, is no YAML mapping, or has a wrong key or value.
    """
    return _configuration(_parse(path) if path else _File(), own_namespace, host)


def _parse(path: Path) -> _File:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise BadUsage(f"{path} is not text", "correct the file, or name another with --config") from error
    except OSError as error:
        raise BadUsage(f"cannot read {path}: {error.strerror}", "name the file with --config") from error
    except yaml.YAMLError as error:
        raise BadUsage(f"{path} is not YAML: {' '.join(str(error).split())}", "correct the file") from error
    if not isinstance(content or {}, dict):
        raise BadUsage(f"{path} holds no keys and values", "correct the file")
    try:
        return _File.model_validate(content or {})
    except ValidationError as error:
        raise BadUsage(f"{path}: {_first_problem(error)}", "see docs/reference/configuration.md") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{where}', {did_you_mean(str(problem['loc'][-1]), _siblings(problem['loc'][:-1]))}"
    return f"{where or 'the file'}: {problem['msg'].lower()}"


def _siblings(section: tuple[int | str, ...]) -> list[str]:
    """Names that would have been right in a section."""
    model: type[BaseModel] = _File
    for part in section:
        field = next(one for name, one in model.model_fields.items() if part in (name, one.alias))
        assert isinstance(field.annotation, type)
        model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]


def _configuration(file: _File, own_namespace: str, host: str | None) -> Configuration:
    policy = HealPolicy(
        max_restarts=file.policy.max_restarts,
        retry_seconds=file.policy.retry_seconds,
        owner_interval_seconds=file.policy.owner_interval_seconds,
        excluded_namespaces=PROTECTED_NAMESPACES | set(file.namespaces.excluded),
        own_namespace=own_namespace,
    )
    return Configuration(
        policy=policy,
        dry_run=file.dry_run,
        soak_seconds=file.known_good.soak_seconds,
        host=host or file.listen.host,
        port=file.listen.port,
    )
