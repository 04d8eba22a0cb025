"""Small turns of phrase that several sentences share."""


def counted(count: int, noun: str) -> str:
    """A count with its noun: ``1 restart``, ``6 restarts``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
