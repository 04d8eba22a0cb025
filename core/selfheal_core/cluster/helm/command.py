"""``pyhelm3``'s command builder over our own process handling.

Import it only when helm is needed: ``pyhelm3`` costs 0.2 s to import. Of it we use the knowledge of helm's verbs and
flags. Its way to start them is replaced, because a cancelled call leaves helm running, the API token is put on the
command line and into the log, time-outs are passed without a unit, and a name that starts with ``-`` reads as a flag.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyhelm3 import Command

from selfheal_core.cluster.helm.errors import HelmError, from_output
from selfheal_core.cluster.helm.locate import HelmProgram
from selfheal_core.cluster.process import Finished, OnLine, ProgramTimeout, run_program

POSITIONALS: Mapping[str, int] = {"rollback": 2, "upgrade": 2, "uninstall": 1, "history": 1, "status": 1, "test": 1}
"""How many names follow each verb; ``get`` has a word of its own before one name."""


class ContainedCommand(Command):  # type: ignore[misc]  # the library carries no types
    """One helm call.

    Args:
        program: The binary.
        environ: Its environment; names the kubeconfig.
        context: Context in that kubeconfig; "" for the current one.
        timeout_seconds: Given to helm as its own ``--timeout``.
        deadline_seconds: After which helm is stopped.
        on_line: Called with each line that helm writes to its error output.
    """

    def __init__(
        self,
        program: HelmProgram,
        environ: Mapping[str, str],
        *,
        context: str,
        timeout_seconds: float,
        deadline_seconds: float,
        on_line: OnLine | None = None,
    ) -> None:
        super().__init__(executable=str(program.path), default_timeout=f"{max(1, round(timeout_seconds))}s")
        self._program = program
        self._environ = environ
        self._context = context
        self._deadline_seconds = deadline_seconds
        self._on_line = on_line

    async def run(self, command: Sequence[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - the library's name
        """Run a command that the library built.

        Returns:
            What helm wrote to its standard output.

        Raises:
            HelmError: It failed.
            ProgramTimeout: It did not end in time, and was stopped.
        """
        words = [str(word) for word in command]
        argv = [str(self._program.path), *arrange(words, self._program.major, self._context)]
        finished = await run_program(
            argv,
            environ=self._environ,
            deadline_seconds=self._deadline_seconds,
            stdin=input or b"",
            on_error_line=self._on_line,
        )
        if finished.exit_code != 0:
            raise self._failure(words, finished)
        if finished.truncated:
            raise HelmError(f"helm {words[0]} wrote more than can be kept")
        return finished.stdout

    def _failure(self, words: Sequence[str], finished: Finished) -> HelmError:
        namespace = words[words.index("--namespace") + 1] if "--namespace" in words else "default"
        release = words[2] if words[0] == "get" else words[1]
        return from_output(words[0], release, namespace, finished.stderr.decode(errors="replace"))


def arrange(command: Sequence[str], major: int, context: str) -> list[str]:
    """Put flags before ``--`` and names after it, so that no name is taken for a flag. Pure.

    Args:
        command: Verb, names, flags, in the library's order.
        major: Helm's major version; 4 wants to know where a dry run happens.
        context: Context of the kubeconfig; "" for the current one.
    """
    verbs = 2 if command[0] == "get" else 1
    names = verbs + (1 if verbs == 2 else POSITIONALS[command[0]])
    flags = list(command[names:])
    if major >= 4 and command[0] in {"rollback", "upgrade"}:
        flags = ["--dry-run=server" if flag == "--dry-run" else flag for flag in flags]
    if context:
        flags += ["--kube-context", context]
    return [*command[:verbs], *flags, "--", *command[verbs:names]]


__all__ = ["ContainedCommand", "ProgramTimeout", "arrange"]
