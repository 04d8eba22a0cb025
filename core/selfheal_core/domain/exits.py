"""How a container ended, in words."""

from selfheal_core.domain.escape import printable
from selfheal_core.domain.objects import ContainerStatus, Terminated
from selfheal_core.domain.times import duration, parse_time

MESSAGE_LIMIT = 160
SIGNAL_BASE = 128
"""A shell and the container runtimes report death by signal n as exit code 128 + n."""

# Exit codes with a meaning of their own (POSIX shell 2.8.2, signal(7)).
_MEANINGS = {
    126: "its command can't be executed",
    127: "its command was not found",
    SIGNAL_BASE + 6: "it aborted (SIGABRT)",
    SIGNAL_BASE + 9: "it was killed (SIGKILL)",
    SIGNAL_BASE + 11: "it crashed (SIGSEGV)",
    SIGNAL_BASE + 15: "it was told to stop (SIGTERM)",
}


def run_seconds(ended: Terminated) -> float | None:
    """How long the run lasted; None if either end is unknown."""
    started, finished = parse_time(ended.started_at), parse_time(ended.finished_at)
    return None if started is None or finished is None else max(0.0, finished - started)


def went_with_its_node(ended: Terminated) -> bool:
    """Whether nobody saw the run end: so a kubelet reports runs from before its node rebooted, which are no crashes."""
    return (ended.exit_code, ended.reason) == (255, "Unknown")


def short_exit(ended: Terminated | None) -> str:
    """Code and reason for a table cell: ``1 Error``, ``137 OOMKilled``; "" for none."""
    return "" if ended is None else f"{ended.exit_code} {ended.reason}".rstrip()


def last_line(message: str) -> str:
    """The last line that says something, printable and short; "" if there is none."""
    lines = [line for line in message.splitlines() if line.strip()]
    return printable(lines[-1].strip(), limit=MESSAGE_LIMIT) if lines else ""


def exit_clause(ended: Terminated, memory_limit: str = "") -> str:
    """Say how a run ended, as the rest of a sentence that begins with the container's name.

    Args:
        ended: The run.
        memory_limit: The container's limit, e.g. ``64Mi``, named when memory was the cause.

    Returns:
        For example ``exits 1 after 2s: "KeyError: DB_URL"``.
    """
    if ended.reason == "OOMKilled":
        limit = f" of {memory_limit}" if memory_limit else ""
        return f"was killed for using more memory than its limit{limit} (OOMKilled){_after(ended)}"
    if ended.reason in ("StartError", "ContainerCannotRun"):
        return f"can't be started ({ended.reason}){_quoted(ended.message)}"
    if ended.reason == "ContainerStatusUnknown":
        return "was lost: the node no longer knows how it ended"
    if went_with_its_node(ended):
        return f"ended with its node's reboot (255 Unknown){_after(ended)}"
    meaning = _MEANINGS.get(ended.exit_code, "")
    if ended.exit_code == 0:
        meaning = "it ended by itself though it is meant to run on"
    explained = f", {meaning}" if meaning else ""
    return f"exits {ended.exit_code}{_after(ended)}{explained}{_quoted(ended.message)}"


def last_run(status: ContainerStatus) -> Terminated | None:
    """The newest finished run of a container."""
    return status.state.terminated or status.last_state.terminated


def _after(ended: Terminated) -> str:
    seconds = run_seconds(ended)
    return "" if seconds is None else f" after {duration(seconds)}"


def _quoted(message: str) -> str:
    line = last_line(message)
    return f': "{line}"' if line else ""
