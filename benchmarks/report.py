"""How a benchmark says what it measured: a table for people, JSON for machines."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Result:
    """One figure.

    Attributes:
        target: What it should stay under (or over, with ``more_is_better``); None without a target.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    more_is_better: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is met; true without one."""
        if self.target is None:
            return True
        return self.value >= self.target if self.more_is_better else self.value <= self.target


def report(benchmark: str, results: list[Result]) -> None:
    """Print the table and write ``results/BENCHMARK.json``."""
    for result in results:
        sign = ">=" if result.more_is_better else "<="
        target = "" if result.target is None else f"target {sign} {result.target:g} {'met' if result.met else 'MISSED'}"
        print(f"  {result.name:<44} {result.value:>10.4g} {result.unit:<8} {target}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    content = {"at": time.time(), "results": [asdict(result) for result in results]}
    (RESULTS / f"{benchmark}.json").write_text(json.dumps(content, indent=2) + "\n")
