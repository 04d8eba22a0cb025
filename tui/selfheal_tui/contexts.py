"""The contexts that a kubeconfig offers, for switching between them."""

from collections.abc import Mapping
from pathlib import Path

from selfheal_core.cluster.kubernetes import kubeconfig as kubeconfig_files
from selfheal_core.cluster.kubernetes.kubeconfig import Entry, KubeConfig
from selfheal_tui.feed import ContextChoice


def list_contexts(kubeconfig: Path | None, environ: Mapping[str, str]) -> tuple[ContextChoice, ...]:
    """Read the kubeconfig anew: it may have changed since the console was started.

    Args:
        kubeconfig: As given on the command line; None for the usual places.
        environ: Where ``KUBECONFIG`` and ``HOME`` are looked up.

    Raises:
        BadUsage: It can't be read.
    """
    config = kubeconfig_files.read(kubeconfig_files.files_to_read(kubeconfig, environ))
    return tuple(ContextChoice(name, _remark(config, entry)) for name, entry in sorted(config.contexts.items()))


def _remark(config: KubeConfig, entry: Entry) -> str:
    """``https://prod.example:6443, namespace payments``; addresses hold no secrets, users might."""
    cluster = config.clusters.get(entry.text("cluster"))
    server = cluster.text("server") if cluster is not None else f"no cluster {entry.text('cluster')!r}"
    return f"{server}, namespace {entry.text('namespace') or 'default'}"
