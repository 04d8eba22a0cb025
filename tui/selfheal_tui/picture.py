"""``python -m selfheal_tui.picture OUT.svg``: the picture of the console in the docs, drawn by the console itself."""

import asyncio
import os
import re
import sys
import time
from pathlib import Path

from selfheal_tui.app import SelfhealApp
from selfheal_tui.present.glyphs import UNICODE
from selfheal_tui.session import Session
from selfheal_tui.showcase import NOW, ShowcaseFeed

COLUMNS, LINES = 132, 30


async def draw() -> str:
    """The Apps screen of the showcase, as SVG. The clock stands still, so the same picture comes out each time."""
    app = SelfhealApp(Session(ShowcaseFeed(), UNICODE, clock=lambda: NOW))
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        # One frame for the rows, one for what the selected row made the console ask.
        for _ in range(2):
            app.frame()
            await pilot.pause()
        return app.export_screenshot(title="selfheal-tui", simplify=True)


def self_contained(svg: str) -> str:
    """Leave out the fonts that the picture would fetch from elsewhere; the reader's monospace serves as well."""
    kept = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in kept.splitlines()) + "\n"


def main(arguments: list[str]) -> int:
    """Write the picture to the file named by the only argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m selfheal_tui.picture OUT.svg\n")
        return 2
    os.environ["TZ"] = "UTC"
    time.tzset()
    path = Path(arguments[0])
    path.write_text(self_contained(asyncio.run(draw())), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
