"""selfheal-tui: shared core of the console, the command line and the controller."""

__version__ = "0.1.0"
