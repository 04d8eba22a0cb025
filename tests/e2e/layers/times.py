"""How long each layer took on each cluster, kept from run to run so that the numbers stand side by side."""

import json
from pathlib import Path

CACHE = Path(__file__).parents[3] / ".cache"
NAME = "layers-{}.json"
CLUSTERS = ("sandbox", "lab", "kubeconfig")


def remember(folder: Path, cluster: str, what: str, seconds: float) -> None:
    """Keep how long something took on a cluster."""
    known = recorded(folder, cluster)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME.format(cluster)).write_text(json.dumps({**known, what: round(seconds, 1)}, indent=1) + "\n")


def recorded(folder: Path, cluster: str) -> dict[str, float]:
    """What is known of a cluster, in seconds; nothing where the suite has not run there."""
    try:
        times: dict[str, float] = json.loads((folder / NAME.format(cluster)).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return times


def table(folder: Path) -> list[str]:
    """The lines of the table: one row for each layer, one column for each cluster that the suite has run on."""
    columns = {cluster: times for cluster in CLUSTERS if (times := recorded(folder, cluster))}
    rows = sorted({what for times in columns.values() for what in times})
    if not rows:
        return []
    width = max(map(len, rows))
    head = f"{'SECONDS':<{width}}" + "".join(f"{cluster:>12}" for cluster in columns)
    return [head, *(f"{row:<{width}}" + "".join(_cell(times.get(row)) for times in columns.values()) for row in rows)]


def _cell(seconds: float | None) -> str:
    return f"{'-':>12}" if seconds is None else f"{seconds:>12.1f}"
