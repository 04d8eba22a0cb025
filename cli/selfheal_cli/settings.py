"""Settings that the console and the command line share: flags, then environment, then file, then defaults.

The file is ``$XDG_CONFIG_HOME/selfheal/config.toml``; each key there has the name of its ``SELFHEAL_*`` variable in
lower case. An unknown key is refused with the nearest known name: a misspelt ``read_only`` must not mean "write".
The table ``[keys]``, which gives commands of the console other keys, is in the file only.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from selfheal_core.errors import BadUsage, did_you_mean
from selfheal_core.folders import config_folder

PREFIX = "SELFHEAL_"
OTHER_PROGRAMS = ("SELFHEAL_SERVICE_", "SELFHEAL_HEALERD_", "SELFHEAL_SANDBOX_", "SELFHEAL_BASTION_")
"""Variables of the other programs; they have settings of their own."""
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""An RFC 1123 label, which is what the API server asks of a namespace's name."""
FRAME_RATES = (0.2, 10.0)
"""Least and most frames a second: below, the console seems dead; above, nobody sees a difference."""
Glyphs = Literal["auto", "unicode", "ascii"]
Colour = Literal["auto", "never", "16", "256", "truecolor"]
SlowLink = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for, from all places together.

    Attributes:
        context: Context of the kubeconfig; None for the current one.
        namespace: Namespace to look at; None for the context's own namespace.
        all_namespaces: Look at every namespace; a namespace given more closely to the caller wins.
        kubeconfig: File that names the cluster; None for the usual places.
        read_only: Refuse every write.
        prometheus: Who is asked for error rates: a URL, ``namespace/service:port`` through the API server, or ``none``;
            "" to look for one.
        glyphs: Signs to draw with; ``auto`` goes by the locale.
        colour: How many colours the terminal is given; ``auto`` goes by the terminal.
        frames_per_second: How often the screen is drawn at most.
        slow_link: Draw less often, ``auto`` once the terminal takes long to accept a frame.
        keys: Keys of the console's commands where they are not the built-in ones, by the command's id. In the file
            only.
    """

    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    kubeconfig: Path | None = None
    read_only: bool = False
    prometheus: str = ""
    glyphs: Glyphs = "auto"
    colour: Colour = "auto"
    frames_per_second: float = 4.0
    slow_link: SlowLink = "auto"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def namespaces(self) -> tuple[str, ...] | None:
        """Scope: empty means all namespaces, None the context's own."""
        if self.all_namespaces:
            return ()
        return None if self.namespace is None else (self.namespace,)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each comes from.

    Attributes:
        origins: ``--namespace``, ``SELFHEAL_NAMESPACE`` or the file's path, by field; a default has none.
    """

    settings: Settings
    origins: Mapping[str, str]


FIELDS: tuple[str, ...] = tuple(each.name for each in fields(Settings))
VARIABLES: tuple[str, ...] = tuple(f"{PREFIX}{name.upper()}" for name in FIELDS if name != "keys")


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
    return load_with_origins(**flags).settings


def load_with_origins(**flags: Any) -> Loaded:
    """The same, and where each setting comes from.

    Raises:
        BadUsage: As above.
    """
    _refuse_unknown_variables(os.environ)
    given = {name: value for name, value in flags.items() if value is not None}
    origins = {name: f"--{name.replace('_', '-')}" for name in given}
    if given.get("namespace") is not None and "all_namespaces" not in given:
        given["all_namespaces"], origins["all_namespaces"] = False, "--namespace"
    if not _anything_to_read():
        # Reading environment and file takes a library that costs a tenth of the console's start.
        return _checked(Loaded(Settings(**given), origins))
    from selfheal_cli.settings_sources import Places, read_settings

    values, origins = read_settings(Settings, given, Places(PREFIX, os.environ, config_path(os.environ), origins))
    return _checked(Loaded(Settings(**values), origins))


def _checked(loaded: Loaded) -> Loaded:
    """Refuse what no type can; an empty namespace is a variable that somebody forgot, not the context's own."""
    settings = loaded.settings
    if settings.namespace is not None and not NAMESPACE.fullmatch(settings.namespace):
        raise BadUsage(f"'{settings.namespace}' can't be a namespace", "see them with: kubectl get namespaces")
    least, most = FRAME_RATES
    if not least <= settings.frames_per_second <= most:
        where = loaded.origins.get("frames_per_second", "frames_per_second")
        rate = f"{settings.frames_per_second:g}"
        raise BadUsage(f"frames_per_second in {where} is {rate}", f"choose one from {least:g} to {most:g}")
    _check_prometheus(settings.prometheus, loaded.origins.get("prometheus", "prometheus"))
    return loaded


def _check_prometheus(address: str, where: str) -> None:
    if address:
        from selfheal_core.cluster.prometheus.address import parse_address

        try:
            parse_address(address)
        except BadUsage as error:
            raise BadUsage(f"{where}: {error.what}", error.next_step) from None


def _anything_to_read() -> bool:
    return config_path(os.environ).exists() or any(variable in os.environ for variable in VARIABLES)


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    for name in environ:
        if name.startswith(PREFIX) and not name.startswith(OTHER_PROGRAMS) and name not in VARIABLES:
            if name == f"{PREFIX}KEYS":
                raise BadUsage(f"keys can't be set by {name}", f"write a table [keys] into {config_path(environ)}")
            raise BadUsage(f"unknown variable {name} in the environment", did_you_mean(name, list(VARIABLES)))
