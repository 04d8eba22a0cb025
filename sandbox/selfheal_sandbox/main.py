"""The command ``selfheal-sandbox``. Imports of the sandbox itself are inside the functions that need them.

Exit codes: 0 done, 1 failed, 2 wrong usage, 4 no such sandbox runs.
"""

import os
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec

import click

from selfheal_core import command_line
from selfheal_sandbox.state import Folder, ServerInfo, StateError, command, end

BEGAN = time.monotonic()
NOT_RUNNING = 4
MAX_NODES = 20
FIND_PROMETHEUS = "find"
"""Take Prometheus from where it is, or out of Debian's package."""
AVAILABLE_PROMETHEUS = "available"
"""Take it where it is there already, and say nothing where it is not: whoever starts a demo does not wait for it."""
START_SECONDS = 30.0
P = ParamSpec("P")


def fail(message: str, code: int = 1) -> NoReturn:
    """End the program with a message of one line."""
    command_line.fail("selfheal-sandbox", message, code)


def checked_name(context: click.Context, _: click.Parameter, name: str) -> str:
    """Refuse what can be no sandbox's name."""
    try:
        return Folder.of(name).name
    except StateError as error:
        raise click.UsageError(str(error), context) from None


def named(function: Callable[P, None]) -> Callable[P, None]:
    """Add ``--name``, and tell of a folder that cannot be used in one line."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except StateError as error:
            fail(str(error))

    text = "Which sandbox; several may run at once."
    return click.option(
        "--name", default="default", show_default=True, metavar="NAME", callback=checked_name, help=text
    )(guarded)


def running(name: str) -> tuple[Folder, ServerInfo]:
    """Return a running sandbox, or end the program with exit code 4."""
    folder = Folder.of(name)
    info = folder.info()
    if info is None:
        fail(f"sandbox {name!r} does not run; start it with: {command('up', name)} --detach", NOT_RUNNING)
    return folder, info


@click.group(
    "selfheal-sandbox", cls=command_line.ProgramGroup, context_settings={"help_option_names": ["-h", "--help"]}
)
def main() -> None:
    """A Kubernetes API on this machine whose pods are local processes.

    For demos, practice and tests, with neither root nor a container engine. Whoever can read its kubeconfig can run
    programs as you.
    """


@main.command()
@named
@click.option("--detach", is_flag=True, help="Run in the background; return when it is ready.")
@click.option("--with-parent", is_flag=True, help="End with the process that started it, however that ends.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1000),
    default=1.0,
    show_default=True,
    help="Divide back-off, autoscaler and resync times by this; probes keep their numbers.",
)
@click.option("--nodes", type=click.IntRange(1, MAX_NODES), default=3, show_default=True, help="How many nodes.")
@click.option(
    "--request-log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Append a JSON line for each request to this file.",
)
@click.option(
    "--controllers/--no-controllers",
    default=True,
    show_default=True,
    help="Without controllers it is an API server alone, and no pod runs.",
)
@click.option("--fresh", is_flag=True, help="Start with nothing, and forget what an earlier run held.")
@click.option(
    "--prometheus",
    is_flag=False,
    flag_value=FIND_PROMETHEUS,
    metavar="[PATH]",
    help="Run a Prometheus that scrapes the pods: this program, or one that is found or taken from Debian's package; "
    "`available` runs it only if none has to be downloaded.",
)
def up(
    name: str,
    detach: bool,
    with_parent: bool,
    speed: float,
    nodes: int,
    request_log: Path | None,
    controllers: bool,
    fresh: bool,
    prometheus: str | None,
) -> None:
    """Start a sandbox; it runs until Ctrl-C, or with --detach until `down`.

    It holds what it held when it last ended, as after a reboot of its nodes, unless --fresh is given.
    """
    parent = os.getppid() if with_parent else None  # before a Prometheus is fetched, which may take minutes
    from selfheal_sandbox import foreground
    from selfheal_sandbox.options import Options

    if detach and with_parent:
        raise click.UsageError("--detach outlives whoever started it, --with-parent does not: take one of them")
    if request_log is not None and not request_log.parent.is_dir():
        raise click.BadParameter(f"there is no folder {request_log.parent}", param_hint="--request-log")
    folder = Folder.of(name)
    program = prometheus_program(prometheus)
    options = Options(folder, speed, nodes, controllers, request_log, fresh=fresh, prometheus=program)

    def ready(info: ServerInfo) -> None:
        click.echo(usage(folder, info, time.monotonic() - BEGAN))

    if detach:
        ready(foreground.start_in_background(options, START_SECONDS))
        click.echo(f"End it with: {command('down', name)}")
    else:
        foreground.run(options, ready, parent=parent)


def prometheus_program(wish: str | None) -> Path | None:
    """Return the Prometheus to run; where none can be had, say so and go on without one."""
    if wish is None:
        return None
    if wish not in (FIND_PROMETHEUS, AVAILABLE_PROMETHEUS):
        path = Path(wish)
        if not os.access(path, os.X_OK) or path.is_dir():
            raise click.BadParameter(f"{path} is no program", param_hint="--prometheus")
        return path.absolute()
    from selfheal_sandbox.tools.fetch import FetchError
    from selfheal_sandbox.tools.prometheus import available, resolve
    from selfheal_sandbox.tools.resolve import tools_folder

    if wish == AVAILABLE_PROMETHEUS:
        return available("prometheus", tools_folder())
    try:
        return resolve(say=lambda text: click.echo(text, err=True))
    except FetchError as error:
        click.echo(f"Going on without Prometheus: {error}", err=True)
        return None


def usage(folder: Folder, info: ServerInfo, seconds: float) -> str:
    """Return what to do with a sandbox that is ready."""
    restored = f"It holds what it held at {info.restored}; to start with nothing: up --fresh\n" if info.restored else ""
    return (
        f"Sandbox {folder.name!r} is ready after {seconds:.1f} s: {info.url}\n"
        f"{restored}"
        f"  export KUBECONFIG={folder.kubeconfig}\n"
        "  kubectl get nodes\n"
        "Whoever reads that file can run programs as you."
    )


@main.command()
@named
@click.option("--forget", is_flag=True, help="Also remove its folder, with its log and all that it held.")
def down(name: str, forget: bool) -> None:
    """End a sandbox and everything that runs in it; `up` brings back what it held."""
    folder = Folder.of(name)
    info = folder.info()
    if info is None:
        _clear_up(folder, forget=forget)
        return
    if not end(folder, info):
        fail(f"process {info.pid} of sandbox {name!r} does not end; look at it with: ps -fp {info.pid}")
    if forget:
        folder.forget()
        click.echo(f"Sandbox {name!r} ended; all that it held is removed.")
    else:
        click.echo(f"Sandbox {name!r} ended; what it held comes back with: {command('up', name)}")


def _clear_up(folder: Folder, *, forget: bool) -> None:
    """Remove what a sandbox that does not run left behind."""
    was_killed = folder.clear_if_stale()
    if forget and folder.snapshot.exists():
        folder.forget()
        click.echo(f"Sandbox {folder.name!r} does not run; all that it held is removed.")
    elif was_killed:
        click.echo(f"Sandbox {folder.name!r} had been killed; what it left behind is removed.")
    else:
        fail(f"sandbox {folder.name!r} does not run", NOT_RUNNING)


@main.command()
@named
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str, as_json: bool) -> None:
    """Tell whether a sandbox runs, where, and what is in it."""
    import json

    from selfheal_sandbox.client import Client, ClientError

    folder, info = running(name)
    try:
        counts = Client.of(folder, info).counts()
    except ClientError as error:
        fail(f"sandbox {name!r} runs as process {info.pid}, but does not answer: {error}")
    if as_json:
        shown = {"kubeconfig": str(folder.kubeconfig), **counts}
        click.echo(json.dumps({**json.loads(info.to_json()), **shown}, indent=2))
        return
    click.echo(
        f"Sandbox {name!r} runs at {info.url} as process {info.pid} since {info.started}, speed {info.speed:g}.\n"
        f"  nodes ready   {counts['nodesReady']} of {counts['nodes']}\n"
        f"  pods running  {counts['podsRunning']} of {counts['pods']}\n"
        f"  kubeconfig    {folder.kubeconfig}"
    )


@main.command()
@named
@click.option("--as", "user", metavar="USER", help="Make a user of this name first, and print the path of its own.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="ClusterRole that the user gets, such as view.")
@click.option("-n", "--namespace", metavar="NS", help="Where it gets the roles; everywhere otherwise.")
def kubeconfig(name: str, user: str | None, roles: tuple[str, ...], namespace: str | None) -> None:
    """Print the path of a sandbox's kubeconfig: the administrator's, or with --as that of a user.

    --role may be given several times, and again later; a role is taken back with kubectl delete clusterrolebinding
    (or rolebinding) selfheal-sandbox:USER:ROLE.
    """
    folder, info = running(name)
    if user is None:
        if roles or namespace is not None:
            raise click.UsageError("--role and --namespace are about a user: name one with --as")
        click.echo(folder.kubeconfig)
        return
    from selfheal_sandbox import users
    from selfheal_sandbox.client import Client, ClientError

    try:
        click.echo(users.make(folder, Client.of(folder, info), users.checked_name(user), roles, namespace))
    except ClientError as error:
        fail(str(error))


@main.command()
@click.argument("service", metavar="svc/NAME")
@named
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of the Service.")
@click.option("--port", metavar="PORT", help="Number or name of a port of the Service; its first one otherwise.")
def url(service: str, name: str, namespace: str, port: str | None) -> None:
    """Print the address at which this machine reaches a Service."""
    from selfheal_sandbox.client import Client, ClientError

    kind, _, service_name = service.rpartition("/")
    if kind not in ("svc", "service", "services", "") or not service_name:
        raise click.BadParameter(f"{service!r} is no Service; write svc/NAME", param_hint="svc/NAME")
    folder, info = running(name)
    try:
        click.echo(Client.of(folder, info).service_url(namespace, service_name, port))
    except ClientError as error:
        text = str(error)
        fail(text if "; " in text else f"{text}; see: kubectl get services -n {namespace}")


if __name__ == "__main__":
    main()
