"""What goes wrong in the lab, in words."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says what, where, and what to type."""


def last_line(output: str) -> str:
    """The line in which a program that failed says why, of what it printed."""
    return (output.strip().splitlines() or ["no output"])[-1]
