"""Settings that the console and the command line share: flags, then environment, then file, then defaults.

The file is ``$XDG_CONFIG_HOME/selfheal/config.toml``; each key there has the name of its ``SELFHEAL_*`` variable in
lower case. An unknown key is refused with the nearest known name: a misspelt ``read_only`` must not mean "write".
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from selfheal_core.errors import BadUsage, did_you_mean
from selfheal_core.folders import config_folder

PREFIX = "SELFHEAL_"
OTHER_PROGRAMS = ("SELFHEAL_SERVICE_", "SELFHEAL_HEALERD_", "SELFHEAL_SANDBOX_")
"""Variables of the other programs; they have settings of their own."""
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""An RFC 1123 label, which is what the API server asks of a namespace's name."""
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


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Settings))
VARIABLES: tuple[str, ...] = tuple(f"{PREFIX}{name.upper()}" for name in FIELDS)


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the file is: ``$XDG_CONFIG_HOME/selfheal/config.toml``, by default below ``~/.config``."""
    return config_folder(environ) / "config.toml"


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
    if not _anything_to_read():
        # Reading environment and file takes a library that costs a tenth of the console's start.
        return _checked(Settings(**given))
    from selfheal_cli.settings_sources import read_settings

    return _checked(Settings(**read_settings(given, config_path(os.environ))))


def _checked(settings: Settings) -> Settings:
    """Refuse an impossible namespace; an empty one is a variable that somebody forgot, not the context's own."""
    if settings.namespace is not None and not NAMESPACE.fullmatch(settings.namespace):
        raise BadUsage(f"'{settings.namespace}' can't be a namespace", "see them with: kubectl get namespaces")
    return settings


def _anything_to_read() -> bool:
    return config_path(os.environ).exists() or any(variable in os.environ for variable in VARIABLES)


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    for name in environ:
        if name.startswith(PREFIX) and not name.startswith(OTHER_PROGRAMS) and name not in VARIABLES:
            raise BadUsage(f"unknown variable {name} in the environment", did_you_mean(name, list(VARIABLES)))
