"""One thing that `selfheal doctor` looked at, and what came out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "missing", "broken"]
COLOURS: Mapping[Verdict, str] = {"ok": "green", "warning": "yellow", "missing": "yellow", "broken": "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes:
        verdict: ``warning`` misleads; ``missing`` costs a column or a verb; ``broken`` costs everything.
        next_step: The one command that mends it, or whom to ask; "" where all is well or nothing helps.
    """

    verdict: Verdict
    about: str
    text: str
    next_step: str = ""
