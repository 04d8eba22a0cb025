"""Text that tries to do something to the terminal that shows it. Each piece carries a marker of its own."""

import base64
import itertools
from collections.abc import Callable, Mapping

NUMBER = "7431"
"""Parameter of every control sequence in here; no program of ours has a reason to write it in one."""
TITLE = "\x1b]0;{m}\x07"


def _clipboard(marker: str) -> str:
    return f"\x1b]52;c;{base64.b64encode(marker.encode()).decode()}\x07"


KINDS: Mapping[str, Callable[[str], str]] = {
    "erase and move": lambda m: f"\x1b[{NUMBER}J\x1b[{NUMBER};1H\x1b[{NUMBER}r{m}",
    "colour": lambda m: f"\x1b[{NUMBER};1;5;7m{m}",
    "clipboard": lambda m: f"{_clipboard(m)}{m}",
    "title": lambda m: TITLE.format(m=m),
    "link": lambda m: f"\x1b]8;;http://198.51.100.7/{m}\x1b\\{m}\x1b]8;;\x1b\\",
    "device control": lambda m: f"\x1bP{m}\x1b\\\x1b_{m}\x1b\\\x1b^{m}\x1b\\{m}",
    "8-bit controls": lambda m: f"\x9b{NUMBER};1H\x9d0;{m}\x9c\x90{m}\x9c\x85{m}",
    "overprint": lambda m: f"{m}\r\r\n\x08\x08\x0b\x0cforged",
    "reset": lambda m: f"\x1bc\x1b(0\x1b#8\x1b[!p{m}",
    "keys back": lambda m: f"\x1b[{NUMBER}n\x1b[c\x1bZ\x05{m}\x1b[201~",
    "null": lambda m: f"\x00{m}\x00\x7f\x07",
    "bidi": lambda m: f"\u202e{m}\u2066\u202d\u2069\u200f",
    "zero width": lambda m: f"\u200b{m}\u200d\ufeff\u00ad\u2060",
    "zalgo": lambda m: "".join(f"{each}\u0301\u0302\u0303\u0304\u0305\u0306" for each in m),
    "wide": lambda m: f"\u5bb9\u5668{m}\uff21\ud55c\uae00\u3000",
    "pictures": lambda m: (
        f"\U0001f468\u200d\U0001f469\u200d\U0001f467{m}\u2764\ufe0f\U0001f1e9\U0001f1ea\U0001f44d\U0001f3fd"
    ),
    "markup": lambda m: f"[red]{m}[/][@click=app.quit]x[/]",
    "lines": lambda m: f"{m}\u2028\u2029\n\x1e\x1cforged",
    "path": lambda m: f"../../{m}?watch=1#%0a",
    "format": lambda m: f"{m}{{0.__class__}}%s%n$(id)`id`'\"\\",
}


class Attacks:
    """Hands out attacks, each with a marker that is used once."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._kinds = itertools.cycle(KINDS.values())

    def next(self) -> str:
        """One attack; the kinds take turns."""
        return next(self._kinds)(marker(next(self._numbers)))

    def all(self) -> str:
        """One of each kind."""
        return "".join(self.next() for _ in KINDS)


def marker(number: int) -> str:
    """``zq0001qz``: nothing else holds it."""
    return f"zq{number:04d}qz"
