"""What goes wrong in the lab, in words."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says what, where, and what to type."""
