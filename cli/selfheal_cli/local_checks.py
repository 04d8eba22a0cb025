"""What `selfheal doctor` looks at on this machine: terminal, journal, helm, kubectl."""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from selfheal_cli.finding import Finding
from selfheal_cli.terminals import UNABLE, colours, is_utf8
from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.process import run_program
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.journal import Journal, default_path

KUBECTL_SECONDS = 10.0
SUPPORTED_SKEW = 1
"""Minor versions between kubectl and the API server (https://kubernetes.io/releases/version-skew-policy)."""
NO_KUBECTL = "install kubectl (https://kubernetes.io/docs/tasks/tools), or let this fetch it: make setup"


def terminal(environ: Mapping[str, str] = os.environ, *, is_terminal: bool | None = None) -> Finding:
    """Whether the console could be shown here, and how well.

    Args:
        environ: Where TERM, COLORTERM and the locale are looked up.
        is_terminal: Whether there is one; standard error tells by default, as output is often piped.
    """
    if not (sys.stderr.isatty() if is_terminal is None else is_terminal):
        return Finding("ok", "terminal", "none here; without one, the console's data is text: selfheal-tui --once")
    name = environ.get("TERM", "")
    if name in UNABLE:
        return Finding("missing", "terminal", f"TERM={name} can show no screen", "selfheal-tui --plain")
    if not is_utf8(environ):
        text = f"{name}, {colours(environ)}; the locale is not UTF-8, so signs are drawn in ASCII"
        return Finding("warning", "terminal", text, "export LANG=C.UTF-8")
    return Finding("ok", "terminal", f"{name}, {colours(environ)}, UTF-8")


def journal(environ: Mapping[str, str] = os.environ) -> Finding:
    """Whether what is done can be written down; without that, nothing is done."""
    where = default_path(environ)
    try:
        Journal(where).check()
    except SelfhealError as error:
        return Finding("broken", "journal", error.what, error.next_step)
    return Finding("ok", "journal", str(where))


async def helm(kubeconfig: tuple[Path, ...], context: str, environ: Mapping[str, str] = os.environ) -> Finding:
    """Which helm would roll back, and whether it is new enough."""
    try:
        found = await Helm.find(environ, kubeconfig=kubeconfig, context=context)
    except SelfhealError as error:
        return Finding("missing", "helm", error.what, error.next_step)
    return Finding("ok", "helm", f"{found.version} ({found.program})")


async def kubectl(server_version: str, environ: Mapping[str, str] = os.environ) -> Finding:
    """Which kubectl the commands that we print would run; we ourselves need none.

    Args:
        server_version: The API server's, e.g. ``v1.33.0``; "" if not known.
        environ: Where it is looked for, and given to it.
    """
    path = shutil.which("kubectl", path=environ.get("PATH", ""))
    if path is None:
        return Finding("missing", "kubectl", "not on PATH; only commands to copy need it", NO_KUBECTL)
    try:
        argv = [path, "version", "--client", "-o", "json"]
        finished = await run_program(argv, environ=environ, deadline_seconds=KUBECTL_SECONDS, output_limit_bytes=65_536)
        version = str(json.loads(finished.stdout)["clientVersion"]["gitVersion"])
    except (SelfhealError, ValueError, KeyError, TypeError):
        return Finding("missing", "kubectl", f"{path} does not tell its version", NO_KUBECTL)
    skew = _minor(version) - _minor(server_version) if _minor(version) and _minor(server_version) else 0
    if abs(skew) > SUPPORTED_SKEW:
        apart = f"{abs(skew)} minor versions {'newer' if skew > 0 else 'older'} than the API server; one is supported"
        wanted = f"install kubectl {server_version.partition('+')[0]}"
        return Finding("warning", "kubectl", f"{version} ({path}) is {apart}", wanted)
    return Finding("ok", "kubectl", f"{version} ({path})")


def _minor(version: str) -> int:
    """The minor version; 0 where there is none."""
    found = re.match(r"v?1\.(\d+)", version)
    return int(found[1]) if found else 0
