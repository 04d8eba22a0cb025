"""Mount paths of a container and where they are on this machine; programs are told the latter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class PathMap:
    """From absolute paths inside a container to paths of this machine.

    A program sees the machine's own file system, so a mounted path exists for it only under another name. The map
    replaces a mount path at the start of a path: in ``--config=/etc/app/x.yaml`` and ``cat /etc/app/x``, but not in
    ``/var/etc/app`` nor ``/etc/application``.
    """

    places: Mapping[str, Path]

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        longest_first = sorted((path.rstrip("/") for path in self.places), key=len, reverse=True)
        choices = "|".join(re.escape(path) for path in longest_first if path)
        # A path starts after anything that cannot belong to one; "file://" may stand in front.
        return re.compile(rf"(?:(?<![\w./~+-])|(?<=file://))(?:{choices})(?![\w.+-])") if choices else None

    @cached_property
    def _texts(self) -> dict[str, str]:
        return {path.rstrip("/"): str(place) for path, place in self.places.items()}

    def rewrite(self, text: str) -> str:
        """Return the text with every mount path in it replaced."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._texts[match.group()], text)

    def working_directory(self, path: str, root: Path) -> Path:
        """Return where a container's ``workingDir`` is: under a volume, else under the container's own folder."""
        rewritten = self.rewrite(path)
        return Path(rewritten) if rewritten != path else root / path.lstrip("/")
