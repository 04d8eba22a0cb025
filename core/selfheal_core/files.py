"""Where the charts are: inside an installed wheel, else in the repository that an editable install points to."""

from pathlib import Path

from selfheal_core.errors import SelfhealError

PACKAGE = Path(__file__).parent
ROOTS = (PACKAGE / "data", PACKAGE.parent.parent)
"""Inside the wheel, then the repository."""


def chart(name: str) -> Path:
    """The folder of a chart of ours.

    Args:
        name: ``service`` or ``healerd``.

    Raises:
        SelfhealError: There is no such chart in this installation.
    """
    for root in ROOTS:
        folder = root / "chart" / name
        if (folder / "Chart.yaml").is_file():
            return folder
    raise SelfhealError(f"chart '{name}' is not part of this installation", "reinstall the package selfheal-tui")
