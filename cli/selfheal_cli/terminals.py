"""What a terminal says of itself in the environment."""

from collections.abc import Mapping

UNABLE = frozenset({"", "dumb", "unknown"})
"""Values of TERM of what can show no screen."""


def is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal takes UTF-8.

    Args:
        environ: Where LC_ALL, LC_CTYPE and LANG are looked up. Python itself sets ``LC_CTYPE=C.UTF-8`` where no
            locale is given (PEP 538); that says nothing of the terminal and is not counted.
    """
    names = [environ.get("LC_ALL", ""), environ.get("LC_CTYPE", ""), environ.get("LANG", "")]
    coerced = names[1] == "C.UTF-8" and not names[0] and names[2] in ("", "C", "POSIX")
    locale = "" if coerced else next(filter(None, names), "")
    return locale.lower().replace("-", "").endswith(("utf8", "utf8@euro"))


def colours(environ: Mapping[str, str]) -> str:
    """How many colours the terminal says that it has: ``24-bit colour``, ``256 colours``, ``16 colours``."""
    if environ.get("NO_COLOR"):
        return "no colours (NO_COLOR is set)"
    if environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "24-bit colour"
    term = environ.get("TERM", "")
    return "256 colours" if term.endswith("256color") else "24-bit colour" if term.endswith("-direct") else "16 colours"
