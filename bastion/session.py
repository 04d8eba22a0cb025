"""What a login opens: the console, with a line in the operator's journal when it begins and when it ends."""

import os
import pwd
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping

from bastion.places import Places
from selfheal_cli.terminals import UNABLE
from selfheal_core.errors import SelfhealError
from selfheal_core.ops.journal import Entry, Journal, Step, default_path

CONSOLE = "/opt/selfheal/bin/selfheal-tui"
GRACE_SECONDS = 3
"""A console whose terminal is gone has this long to end by itself."""
ONLY_THE_CONSOLE = "this bastion opens the console and runs nothing else; log in without a command: ssh LOGIN@BASTION"
EXIT_BAD_USAGE = 2


def main() -> None:
    """Run the session of whoever logged in."""
    if os.environ.get("SSH_ORIGINAL_COMMAND"):
        sys.stderr.write(f"{ONLY_THE_CONSOLE}\n")
        sys.exit(EXIT_BAD_USAGE)
    login = pwd.getpwuid(os.getuid()).pw_name
    environment = session_environment(os.environ, login, Places())
    session = uuid.uuid4().hex
    record(environment, entry(session, "intent", "session began", environment))
    code = run_console(environment)
    record(environment, entry(session, "result", f"session ended, exit code {code}", environment))
    sys.exit(code if code >= 0 else 128 - code)


def session_environment(environ: Mapping[str, str], login: str, places: Places) -> dict[str, str]:
    """The console's environment: sshd's, with the operator's own kubeconfig and journal.

    Args:
        environ: What sshd gives.
        login: The account's name, which the kernel vouches for; the environment does not.
        places: Folders of the image.
    """
    speaks = "LANG" in environ or "LC_ALL" in environ or "LC_CTYPE" in environ
    return {
        **environ,
        **({} if speaks else {"LANG": "C.UTF-8"}),
        "USER": login,
        "LOGNAME": login,
        "KUBECONFIG": str(places.kubeconfig(login)),
        "XDG_STATE_HOME": str(places.journal(login)),
    }


def console_command(environ: Mapping[str, str], *, is_terminal: bool) -> list[str]:
    """The console; where the terminal can show none, or there is none, what it would show, once and as text."""
    able = is_terminal and environ.get("TERM", "") not in UNABLE
    return [CONSOLE] if able else [CONSOLE, "--once"]


def entry(session: str, step: Step, text: str, environ: Mapping[str, str]) -> Entry:
    """A line of the journal about the session itself."""
    return Entry(
        at=time.time(),
        operation_id=session,
        step=step,
        verb="session",
        namespace="",
        target=environ["LOGNAME"],
        text=text,
        user=environ["LOGNAME"],
        host=environ.get("SSH_CONNECTION", "").partition(" ")[0],
        source="console",
    )


def record(environ: Mapping[str, str], line: Entry) -> None:
    """Write to the journal; where that fails the console still opens, says so, and changes nothing."""
    try:
        Journal(default_path(environ)).write(line)
    except SelfhealError as error:
        # With the line cut there is no terminal to tell it to.
        if os.isatty(sys.stderr.fileno()):
            sys.stderr.write(f"{error}\n")


def run_console(environ: Mapping[str, str]) -> int:
    """Run the console until it ends, or for a moment longer than its terminal.

    Returns:
        Its exit code; negative for the signal that ended it.
    """
    console = subprocess.Popen(console_command(environ, is_terminal=os.isatty(0)), env=dict(environ))
    signal.signal(signal.SIGALRM, lambda *_: console.kill())
    for hang_up in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(hang_up, lambda *_: signal.alarm(GRACE_SECONDS))
    for key in (signal.SIGINT, signal.SIGQUIT):
        # Not ignored, which the console would inherit: keys of the terminal are meant for it.
        signal.signal(key, lambda *_: None)
    return console.wait()
