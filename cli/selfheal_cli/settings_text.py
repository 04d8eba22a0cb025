"""Settings as text that is itself a settings file: each with where it comes from."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from selfheal_cli.settings import Loaded, Settings

UNSET = {
    "context": "the kubeconfig's current one",
    "namespace": "the context's own",
    "kubeconfig": "KUBECONFIG, else ~/.kube/config",
}
"""What holds where nothing is set, of settings that TOML has no word for then."""
COMMENT_COLUMN = 32


def settings_lines(loaded: Loaded) -> list[str]:
    """The settings but for the keys, one a line, as TOML with comments.

    Reading the text as a file gives the same settings.
    """
    lines = []
    for each in fields(Settings):
        if each.name != "keys":
            value = getattr(loaded.settings, each.name)
            origin = loaded.origins.get(each.name) or "default"
            text = f"# {each.name} =" if value is None else f"{each.name} = {_toml(value)}"
            meaning = f"{origin}: {UNSET[each.name]}" if value is None else origin
            lines.append(f"{text:<{COMMENT_COLUMN}}  # {_one_line(meaning)}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    assert isinstance(value, str | Path)
    # A JSON string is a TOML string, but for one character that JSON leaves as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
