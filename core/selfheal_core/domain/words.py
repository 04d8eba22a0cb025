"""Small turns of phrase that several sentences share."""


def counted(count: int, noun: str) -> str:
    """A count with its noun: ``1 restart``, ``6 restarts``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ratio(value: float | None) -> str:
    """A share of requests: ``38%``, ``0.1%``, ``<0.1%``; ``no data`` where it is not known, which is not 0."""
    if value is None:
        return "no data"
    if value == 0 or value >= 0.0995:
        return f"{value:.0%}"
    return f"{value:.1%}" if value >= 0.001 else "<0.1%"
