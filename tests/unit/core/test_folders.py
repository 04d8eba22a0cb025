"""Where files of ours are: the XDG variables first, then the home folder."""

from pathlib import Path

from selfheal_core.folders import cache_folder, config_folder, state_folder


def test_the_variables_come_first() -> None:
    environ = {"XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c", "XDG_CONFIG_HOME": "/f", "HOME": "/home/someone"}

    found = [state_folder(environ), cache_folder(environ), config_folder(environ)]

    assert found == [Path("/s/selfheal"), Path("/c/selfheal"), Path("/f/selfheal")]


def test_then_the_home_folder() -> None:
    environ = {"HOME": "/home/someone", "XDG_STATE_HOME": ""}

    found = [state_folder(environ), cache_folder(environ), config_folder(environ)]

    home = Path("/home/someone")
    assert found == [home / ".local/state/selfheal", home / ".cache/selfheal", home / ".config/selfheal"]
