"""Typing a line: a filter, a search, a name to choose."""


def edit(text: str, key: str, character: str | None) -> str:
    """The text after a key.

    Args:
        text: Before it.
        key: Name of the key.
        character: What it types, if it types something.
    """
    if key in ("backspace", "ctrl+h"):
        return text[:-1]
    if key == "ctrl+u":
        return ""
    if key == "ctrl+w":
        head, blank, _ = text.rstrip().rpartition(" ")
        return head + blank
    return text + character if character and character.isprintable() else text
