"""The command `selfheal`: the console's verbs for pipelines, `doctor`, and the demo.

Commands load what they need when they run: `selfheal --help` answers at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from selfheal_cli import completion
from selfheal_core import __version__
from selfheal_core.command_line import ProgramGroup
from selfheal_core.errors import BadUsage
from selfheal_core.ops.faults import FAULTS

F = TypeVar("F", bound=Callable[..., Any])

FAULT_NAMES = tuple(FAULTS)
SECONDS = click.FloatRange(min=0, min_open=True)
UNBUILT = ("guard", "canary", "chaos", "incidents", "operations", "pause", "resume", "monitoring")
"""Verbs whose names are fixed, and which this version does not have."""


class Verbs(ProgramGroup):
    """A group that knows what is not built yet."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say what to type instead.

        Raises:
            BadUsage: It is unknown, or only its name exists in this version.
        """
        if args[0] in UNBUILT:
            raise BadUsage(f"'{args[0]}' is not in this version", f"known: {', '.join(self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def cluster_options(command: F) -> F:
    """Options that say which cluster and namespace."""
    for option in (
        click.option(
            "-n",
            "--namespace",
            help="Namespace; the context's own by default.",
            shell_complete=completion.namespaces,
        ),
        click.option(
            "--context",
            help="Context of the kubeconfig; the current one by default.",
            shell_complete=completion.contexts,
        ),
        click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="File to use."),
    ):
        command = option(command)
    return command


def verb_options(command: F) -> F:
    """Options that every verb has."""
    for option in (
        click.option("--yes", is_flag=True, help="Do it; without this, only the preview is printed."),
        click.option("--reason", default="", help="Why; kept in the journal."),
        click.option(
            "--timeout", type=SECONDS, default=300.0, show_default=True, help="Seconds to wait for the recovery."
        ),
    ):
        command = option(command)
    return cluster_options(command)


@click.group("selfheal", cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="selfheal")
def main() -> None:
    """Heal, roll back and practise, from a pipeline or by hand."""


def run(verb: str, name: str, parameters: dict[str, str], options: dict[str, Any]) -> None:
    """Run a verb with the options of the command line."""
    from selfheal_cli.settings import load_settings
    from selfheal_cli.verbs import Request, run_verb

    settings = load_settings(**{name: options[name] for name in ("kubeconfig", "context", "namespace")})
    run_verb(
        Request(
            verb=verb,
            name=name,
            parameters=parameters,
            confirmed=options["yes"],
            reason=options["reason"],
            settings=settings,
            timeout_seconds=options["timeout"],
        )
    )


@main.command(short_help="Roll an application's Helm release back, and verify it.")
@click.argument("application", shell_complete=completion.applications)
@click.option("--to", "revision", type=click.IntRange(min=1), help="Revision; the newest known-good one by default.")
@verb_options
def rollback(application: str, revision: int | None, **options: Any) -> None:
    """Roll an application's Helm release back, and verify the recovery."""
    run("rollback", application, {} if revision is None else {"revision": str(revision)}, options)


@main.command()
@click.argument("application", shell_complete=completion.applications)
@verb_options
def restart(application: str, **options: Any) -> None:
    """Restart an application's pods one by one."""
    run("restart", application, {}, options)


@main.command()
@click.argument("pod", shell_complete=completion.pods)
@click.option("--force", is_flag=True, help="Delete at once, past disruption budget and grace period.")
@verb_options
def kill(pod: str, force: bool, **options: Any) -> None:
    """Evict one pod and watch its replacement become ready."""
    run("kill", pod, {"force": "true"} if force else {}, options)


@main.command(short_help="Say how it is, what healerd decides and did, and what to do.")
@click.argument("name", metavar="POD|APPLICATION", shell_complete=completion.applications_and_pods)
@cluster_options
def explain(name: str, **options: Any) -> None:
    """Say how it is, what healerd would decide now and did, and why, and the safe next step."""
    from selfheal_cli.explain import explain as explain_name
    from selfheal_cli.settings import load_settings

    explain_name(name, load_settings(**options))


@main.command("break")
@click.argument("application", shell_complete=completion.applications)
@click.option("--fault", type=click.Choice(FAULT_NAMES), default="crash", show_default=True, help="What to break.")
@verb_options
def break_something(application: str, fault: str, **options: Any) -> None:
    """Break something on purpose in a sandbox, and watch it heal."""
    run("break", application, {"fault": fault}, options)


@main.command()
@click.option("--prometheus", metavar="ADDRESS", help="URL, or namespace/service:port; looked for by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@cluster_options
def doctor(as_json: bool, **options: Any) -> None:
    """Say what is found, what is missing, and what to type about it."""
    from selfheal_cli.doctor import examine
    from selfheal_cli.settings import load_settings

    settings = load_settings(**options)
    place = settings.kubeconfig, settings.context, settings.namespace
    examine(*place, prometheus=settings.prometheus, as_json=as_json)


@main.command("completion", short_help="Print what bash, zsh or fish has to read to complete.")
@click.argument("shell", type=click.Choice(completion.SHELLS))
def print_completion(shell: str) -> None:
    """Print what a shell has to read to complete selfheal, selfheal-tui and selfheal-sandbox.

    \b
    bash  source <(selfheal completion bash)
    zsh   source <(selfheal completion zsh)
    fish  selfheal completion fish | source
    """  # noqa: D301 - click needs the character, which keeps the lines apart
    click.echo(completion.script(shell))


@main.group(cls=ProgramGroup)
def demo() -> None:
    """The demo: install it, or play its whole story."""


@demo.command()
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Cluster to use; the running sandbox by default, never a cluster that KUBECONFIG happens to name.",
)
@click.option("-n", "--namespace", default="demo", show_default=True, help="Where the application goes.")
def install(kubeconfig: Path | None, namespace: str) -> None:
    """Install the demo application, a visitor for it, and healerd."""
    from selfheal_cli.demo.install import install as install_charts
    from selfheal_cli.demo.stage import Stage
    from selfheal_cli.demo.story import programs, sandbox_kubeconfig

    found = programs()
    install_charts(Stage(kubeconfig or sandbox_kubeconfig(found), namespace, found), visitor=True)


@demo.command("run", short_help="Play the story of the layers on a sandbox of its own.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1000),
    default=10.0,
    show_default=True,
    help="Divides back-off and the autoscaler's windows.",
)
@click.option(
    "--healerd-replicas",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="0 shows what happens without healerd.",
)
@click.option("--layer", "layers", type=int, multiple=True, help="Play only this layer; may be given several times.")
def run_story(speed: float, healerd_replicas: int, layers: tuple[int, ...]) -> None:
    """Play the story of the layers that are built on a sandbox of its own, and take it down again."""
    from selfheal_cli.demo.story import tell

    tell(speed=speed, healerd_replicas=healerd_replicas, layers=layers)
