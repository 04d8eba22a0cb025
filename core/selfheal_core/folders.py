"""The user's own folders: ``selfheal`` in each of the places that the XDG base directory specification names."""

from collections.abc import Mapping
from pathlib import Path

from selfheal_core.errors import BadUsage

OURS = "selfheal"


def state_folder(environ: Mapping[str, str]) -> Path:
    """What is kept between runs: ``$XDG_STATE_HOME/selfheal``, by default below ``~/.local/state``.

    Raises:
        BadUsage: There is no home folder.
    """
    return _folder(environ, "XDG_STATE_HOME", ".local/state")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """What can be fetched again: ``$XDG_CACHE_HOME/selfheal``, by default below ``~/.cache``.

    Raises:
        BadUsage: There is no home folder.
    """
    return _folder(environ, "XDG_CACHE_HOME", ".cache")


def config_folder(environ: Mapping[str, str]) -> Path:
    """What the user writes: ``$XDG_CONFIG_HOME/selfheal``, by default below ``~/.config``.

    Raises:
        BadUsage: There is no home folder.
    """
    return _folder(environ, "XDG_CONFIG_HOME", ".config")


def _folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    if environ.get(variable):
        return Path(environ[variable]) / OURS
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError as error:
        raise BadUsage("no home folder: HOME is not set and this account has none", f"set {variable}") from error
    return home / below_home / OURS
