"""The lab from the command line: ``python -m tests.lab up | down | status | kubeconfig | programs | images | with``.

Exit code 0 when all is well, 1 when not, 2 for wrong usage, 130 after ctrl+c.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from selfheal_core.errors import BadUsage
from tests.lab.errors import LabError
from tests.lab.lab import down, prepare, run_in_foreground, running_lab, status, up
from tests.lab.packages import require_machine
from tests.lab.state import DEFAULT_NAME, Lab, LabFolder
from tests.lab.state import command as lab_command

VERBS = {
    "up": "bring the lab up, or mend it",
    "down": "take it down, and remove what a killed one left",
    "status": "say how it is; exit code 0 if all is well",
    "kubeconfig": "print the path of the administrator's kubeconfig",
    "programs": "only get what it is brought up from: packages and programs",
    "images": "build the project's images, or those that are named, and load them into the lab",
    "with": "run a command while the lab is up: with -- COMMAND; whoever uses the lab last takes it down",
    "run": "be the process that runs the lab (up starts it in the background)",
}

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What would end the verb 'with', and is for its command to act on."""


def main() -> None:
    """Do what the command line says."""
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    command = sys.argv[at + 1 :]
    parser = _parser()
    arguments = parser.parse_args(sys.argv[1:at])
    if (arguments.verb == "with") != bool(command):
        parser.error("a command to run goes with the verb 'with', and with no other: with -- COMMAND")
    if arguments.images and arguments.verb != "images":
        parser.error(f"{arguments.images[0]!r} goes with the verb 'images' only")
    try:
        sys.exit(_do(arguments.verb, LabFolder.of(arguments.name), arguments.images or command))
    except (LabError, BadUsage) as error:
        sys.stderr.write(f"lab: {error}\n")
        sys.exit(1)
    except BrokenPipeError:  # whoever read what is said has gone; nor can the rest be said to them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"lab: {error.filename or 'this machine'}: {error.strerror}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("lab: stopped\n")
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    verbs = "\n".join(f"  {verb:<11} {what}" for verb, what in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab",
        description=f"A real Kubernetes on this machine, for tests (Linux, root).\n\n{verbs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=VERBS, metavar="VERB")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="with images: some of them (default: all)")
    parser.add_argument("--name", default=DEFAULT_NAME, help="of the lab (default: lab)")
    return parser


def _do(verb: str, folder: LabFolder, words: Sequence[str]) -> int:
    if verb == "up":
        up(folder, say)
    elif verb == "down":
        down(folder, say)
    elif verb == "with":
        return _run_with(folder, words)
    elif verb == "run":
        run_in_foreground(folder, say)
    elif verb == "programs":
        for name, path in prepare(say).programs.items():
            say(f"{name}={path}")
    elif verb == "images":
        _load_images(folder, words)
    elif verb == "kubeconfig":
        say(str(_running(folder).kubeconfig))
    else:
        is_well, words = status(folder)
        say(words)
        return 0 if is_well else 1
    return 0


def _run_with(folder: LabFolder, command: Sequence[str]) -> int:
    """Run a command that needs the lab, and return its exit code."""
    with running_lab(say, folder.name):
        return run_to_its_end(command)


def run_to_its_end(command: Sequence[str]) -> int:
    """Run a command and return its exit code, as a shell tells it.

    What would end this process is the command's to act on: ctrl+c is sent to both, the others of `PASSED_ON` by us.
    """
    running: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if running is None:
            early.append(number)
        elif number != signal.SIGINT:
            running.send_signal(number)

    heeded = [number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]  # not under nohup
    before = {number: signal.signal(number, pass_on) for number in heeded}
    try:
        running = subprocess.Popen(command)
        for number in early:  # also ctrl+c, which the command was perhaps not there to get
            running.send_signal(number)
        code = running.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _load_images(folder: LabFolder, names: Sequence[str]) -> None:
    """Build the images; that takes minutes the first time, so only those who want them load the module."""
    from tests.lab.images import IMAGES, build_images

    known = [image.key for image in IMAGES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise LabError(f"unknown image {unknown[0]!r}; known: {', '.join(known)}")
    require_machine()
    lab = _running(folder)
    for name, archive in build_images(say, keys=names).items():
        nodes = lab.load_image(archive)
        say(f"loaded {name} into {' and '.join(nodes)}" if nodes else f"{name} is there already")


def _running(folder: LabFolder) -> Lab:
    state = folder.state()
    if state is None or not state.ready:
        raise LabError(f"lab {folder.name!r} is not up; bring it up: {lab_command('up', folder.name)}")
    return Lab.of(folder, state)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
