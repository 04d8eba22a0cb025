"""The command `selfheal`: the console's verbs for pipelines, `doctor`, and the demo.

Commands load what they need when they run: `selfheal --help` answers at once.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from selfheal_core import __version__
from selfheal_core.errors import SelfhealError, did_you_mean

F = TypeVar("F", bound=Callable[..., Any])

UNBUILT = ("guard", "canary", "chaos", "incidents", "operations", "pause", "resume", "explain", "monitoring")
"""Verbs whose names are fixed, and which this version does not have."""


class Verbs(click.Group):
    """A group that knows what is not built yet, and the nearest name of what is not known."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say what to type instead."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.commands:
            known = list(self.commands)
            if name in UNBUILT:
                raise click.UsageError(f"'{name}' is not in this version; known: {', '.join(sorted(known))}", ctx)
            raise click.UsageError(f"unknown verb '{name}'; {did_you_mean(name, known)}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run; errors that are meant for people become one line and an exit code."""
        try:
            return super().main(*arguments, **{**options, "standalone_mode": False})
        except click.exceptions.Abort:
            click.echo("selfheal: interrupted", err=True)
            sys.exit(130)
        except click.ClickException as error:
            click.echo(f"selfheal: {one_line(error)}", err=True)
            sys.exit(error.exit_code)
        except SelfhealError as error:
            click.echo(f"selfheal: {error}", err=True)
            sys.exit(error.exit_code)


def one_line(error: click.ClickException) -> str:
    """A usage error with the command that explains it."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; try '{context.command_path} --help'" if context else message


def cluster_options(command: F) -> F:
    """Options that say which cluster and namespace."""
    for option in (
        click.option("-n", "--namespace", help="Namespace; the context's own by default."),
        click.option("--context", help="Context of the kubeconfig; the current one by default."),
        click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="File to use."),
    ):
        command = option(command)
    return command


def verb_options(command: F) -> F:
    """Options that every verb has."""
    for option in (
        click.option("--yes", is_flag=True, help="Do it; without this, only the preview is printed."),
        click.option("--reason", default="", help="Why; kept in the journal."),
        click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait for the recovery."),
    ):
        command = option(command)
    return cluster_options(command)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
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


@main.command()
@click.argument("application")
@click.option("--to", "revision", type=click.IntRange(min=1), help="Revision; the newest known-good one by default.")
@verb_options
def rollback(application: str, revision: int | None, **options: Any) -> None:
    """Roll an application's Helm release back, and verify the recovery."""
    run("rollback", application, {} if revision is None else {"revision": str(revision)}, options)


@main.command()
@click.argument("application")
@verb_options
def restart(application: str, **options: Any) -> None:
    """Restart an application's pods one by one."""
    run("restart", application, {}, options)


@main.command()
@click.argument("pod")
@click.option("--force", is_flag=True, help="Delete at once, past disruption budget and grace period.")
@verb_options
def kill(pod: str, force: bool, **options: Any) -> None:
    """Evict one pod and watch its replacement become ready."""
    run("kill", pod, {"force": "true"} if force else {}, options)


@main.command()
@cluster_options
def doctor(kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
    """Say what is found, what is missing, and what to type about it."""
    from selfheal_cli.doctor import examine
    from selfheal_cli.settings import load_settings

    settings = load_settings(kubeconfig=kubeconfig, context=context, namespace=namespace)
    examine(settings.kubeconfig, settings.context, settings.namespace)


@main.group()
def demo() -> None:
    """The demo: install it, or play its whole story."""


@demo.command()
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    envvar="KUBECONFIG",
    required=True,
    help="Cluster to use; KUBECONFIG by default.",
)
@click.option("-n", "--namespace", default="demo", show_default=True, help="Where the application goes.")
def install(kubeconfig: Path, namespace: str) -> None:
    """Install the demo application and healerd with Helm."""
    from selfheal_cli.demo.install import install as install_charts
    from selfheal_cli.demo.stage import Stage
    from selfheal_cli.demo.story import programs

    install_charts(Stage(kubeconfig, namespace, programs()))


@demo.command("run")
@click.option("--speed", default=10.0, show_default=True, help="Divides back-off and the autoscaler's windows.")
@click.option("--healerd-replicas", default=1, show_default=True, help="0 shows what happens without healerd.")
@click.option("--layer", "layers", type=int, multiple=True, help="Play only this layer; may be given several times.")
def run_story(speed: float, healerd_replicas: int, layers: tuple[int, ...]) -> None:
    """Play the story of the seven layers on a sandbox of its own, and take it down again."""
    from selfheal_cli.demo.story import tell

    tell(speed=speed, healerd_replicas=healerd_replicas, layers=layers)
