"""The commands that show or do the same by hand, for the clipboard."""

import shlex
from collections.abc import Sequence

from selfheal_core.domain.snapshot import Application, PodRow
from selfheal_tui.present.history import RevisionRow
from selfheal_tui.present.logs import LogRequest


def _joined(words: Sequence[str]) -> str:
    return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    r"""A word for a shell. One that a terminal would not simply draw is spelled out (``$'\x1b'``): what is pasted must
    neither end the paste nor the line.
    """
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_spelled, word)) + "'"


def _spelled(character: str) -> str:
    code = ord(character)
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _kubectl(context: str, kubeconfig: str, namespace: str, *words: str) -> str:
    where = ["--kubeconfig", kubeconfig] if kubeconfig else []
    if context and context != "in-cluster":
        where += ["--context", context]
    return _joined(["kubectl", *where, "-n", namespace, *words])


def shell_into(pod: PodRow, context: str, kubeconfig: str) -> str:
    """A shell in the pod's first container."""
    return _kubectl(context, kubeconfig, pod.namespace, "exec", "-it", pod.name, "--", "sh")


def pods_of(app: Application, context: str, kubeconfig: str) -> str:
    """The pods of an application."""
    return _kubectl(context, kubeconfig, app.key.namespace, "get", "pods", "-l", f"app={app.key.name}", "-o", "wide")


def history_of(row: RevisionRow, context: str, kubeconfig: str) -> str:
    """The history of a release; Helm calls the context flag differently."""
    where = ["--kubeconfig", kubeconfig] if kubeconfig else []
    if context and context != "in-cluster":
        where += ["--kube-context", context]
    return _joined(["helm", *where, "-n", row.revision.namespace, "history", row.revision.release])


def logs_of(request: LogRequest, context: str, kubeconfig: str) -> str:
    """The log of the first pod that is shown."""
    words = ["logs", request.pods[0] if request.pods else ""]
    words += ["-c", request.container] if request.container else []
    words += ["--previous"] if request.previous else ["-f"]
    words += [f"--since={request.since_seconds}s"] if request.since_seconds else [f"--tail={request.tail_lines}"]
    return _kubectl(context, kubeconfig, request.namespace, *words)
