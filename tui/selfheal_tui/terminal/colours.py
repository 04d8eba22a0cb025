"""The setting `colour`, told to Textual, which reads the environment once while it is imported."""

from collections.abc import MutableMapping

from selfheal_cli.settings import Colour

NO_COLOUR = "NO_COLOR"
COLOUR_SYSTEM = "TEXTUAL_COLOR_SYSTEM"
SYSTEMS = {"16": "standard", "256": "256", "truecolor": "truecolor"}


def choose_colours(choice: Colour, environ: MutableMapping[str, str]) -> None:
    """Let a choice win over what the terminal says; ``auto`` leaves it to the terminal and NO_COLOR.

    The console draws with the terminal's own sixteen colours, so more of them change nothing but how they are sent.

    Args:
        choice: The setting.
        environ: Of this process; changed.
    """
    if choice == "never":
        environ[NO_COLOUR] = "1"
    elif choice != "auto":
        environ.pop(NO_COLOUR, None)
        environ[COLOUR_SYSTEM] = SYSTEMS[choice]
    elif environ.get(NO_COLOUR) == "":
        # Set to nothing it means nothing (no-color.org); Textual would take it for a wish.
        del environ[NO_COLOUR]
