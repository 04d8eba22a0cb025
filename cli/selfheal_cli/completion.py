"""Shell completion: the script for a shell, and the names that only the cluster knows.

A key press waits for this. Whatever it asks of a cluster ends within a second, and says nothing when it fails.
"""

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from selfheal_cli.completion_names import Kind

SHELLS = ("bash", "zsh", "fish")
PROGRAMS = ("selfheal", "selfheal-tui", "selfheal-sandbox")
ANSWER_SECONDS = 0.8
"""For the cluster; in order: connections are closed, plugins are stopped."""
LIMIT_SECONDS = 1.0
"""For everything; what still hangs then (a name server, a plugin) is left behind."""


def script(shell: str) -> str:
    """What a shell has to read so that it completes all our programs.

    Args:
        shell: One of ``SHELLS``.
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    nothing = click.Command("")
    texts = (made(nothing, {}, name, f"_{name.replace('-', '_').upper()}_COMPLETE").source() for name in PROGRAMS)
    return "\n".join(texts)


def namespaces(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of namespaces."""
    return _answer(ctx, incomplete, "namespaces")


def applications(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of applications in the namespace that the line names."""
    return _answer(ctx, incomplete, "applications")


def pods(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of pods there."""
    return _answer(ctx, incomplete, "pods")


def applications_and_pods(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of both."""
    return _answer(ctx, incomplete, "applications and pods")


def contexts(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Contexts of the kubeconfig; no cluster is asked."""
    from selfheal_core.cluster.kubernetes.kubeconfig import files_to_read, read
    from selfheal_core.errors import SelfhealError

    try:
        found = read(files_to_read(_file(ctx), os.environ)).contexts
    except SelfhealError:
        return []
    return _beginning_with(incomplete, found)


def _file(ctx: click.Context) -> Path | None:
    given = ctx.params.get("kubeconfig")
    return Path(given) if given else None


def _beginning_with(incomplete: str, names: Iterable[str]) -> list[str]:
    """Names that fit, in order; one that a shell would have to quote is left out."""
    safe = (name for name in names if all(character.isalnum() or character in "-._:/@" for character in name))
    return sorted({name for name in safe if name.startswith(incomplete)})


def _answer(ctx: click.Context, incomplete: str, kind: "Kind") -> list[str]:
    """Ask the cluster that the line names."""
    from selfheal_cli.completion_names import ask

    limit = threading.Timer(LIMIT_SECONDS, os._exit, (0,))
    limit.daemon = True
    limit.start()
    try:
        place = _file(ctx), ctx.params.get("context"), ctx.params.get("namespace")
        return _beginning_with(incomplete, ask(kind, *place, ANSWER_SECONDS))
    finally:
        limit.cancel()
