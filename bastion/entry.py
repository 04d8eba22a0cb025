"""The bastion's first process: makes the accounts, listens, follows the mounted folder, ends what was left."""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bastion.accounts import Account, Operator, accounts, complaint, group, passwd
from bastion.connections import PORT, Connections, link_seconds, listen, require_sshd, sshd_command
from bastion.places import Places
from selfheal_core.errors import SelfhealError

FOLLOW_SECONDS = 5.0
"""Time until an operator who was added can log in, and until one who was taken away is out."""
TO_END = frozenset({signal.SIGTERM, signal.SIGINT})
SYSTEM_LOGINS = frozenset({"root", "sshd", "nobody", "daemon", "bin", "sys"})


def main() -> None:
    """Run the bastion until it is told to end."""
    with closing(Arrivals((*TO_END, signal.SIGCHLD))) as arrivals:
        sys.exit(run(Places(), arrivals))


def run(places: Places, arrivals: "Arrivals") -> int:
    """Run the bastion until it is told to end; return the exit code. What is wrong is said in one line."""
    try:
        seconds = link_seconds(os.environ)
        close_folders(places)
        command = sshd_command(install_host_keys(places))
        places.sshd.mkdir(mode=0o755, exist_ok=True)
        require_sshd(command)
        bastion = Bastion(places)
        bastion.follow()
        bastion.serve(Connections(listen(PORT, seconds), command), arrivals)
    except SelfhealError as error:
        say([str(error)])
        return error.exit_code
    except OSError as error:
        say([f"{error.filename}: {error.strerror}; {remedy(str(error.filename), places)}"])
        return 1
    return 0


def remedy(path: str, places: Places) -> str:
    """What to do about a file or folder that can't be used: those that are mounted for it to read, or its own."""
    if any(Path(path).is_relative_to(mounted) for mounted in (places.operators, places.host_keys)):
        return "root of the container has to own what is mounted: chown -R root:root, with rootless podman yourself"
    return (
        f"mount a writable folder at {places.journals} and memory at {places.run.parent} and {places.homes}, "
        "and run as root"
    )


def close_folders(places: Places) -> None:
    """Let nobody but root put files beside ours; volumes come open to everybody, which sshd does not accept."""
    for folder in (places.run.parent, places.homes, places.journals):
        folder.chmod(0o755)


def install_host_keys(places: Places) -> list[Path]:
    """Copy the host keys to where sshd trusts their mode, and return the copies.

    Raises:
        SelfhealError: There is none; a bastion that makes up its own can't be told from another.
        OSError: One can't be read.
    """
    target = places.run / "host_keys"
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not glob: of a folder that it may not read it says that it is empty.
    mounted = places.host_keys.iterdir() if places.host_keys.is_dir() else ()
    found = sorted(key for key in mounted if key.match("ssh_host_*_key"))
    if not found:
        raise SelfhealError(
            f"no host key (ssh_host_*_key) in {places.host_keys}",
            "make one and mount it: ssh-keygen -t ed25519 -N '' -f ssh_host_ed25519_key",
        )
    for key in found:
        write_private(target / key.name, key.read_bytes(), owner=os.getuid())
    return [target / key.name for key in found]


def read_operators(folder: Path) -> tuple[list[Operator], list[str]]:
    """Read who may log in; second, a sentence for each folder that is left out."""
    operators: list[Operator] = []
    complaints: list[str] = []
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.name.startswith("."):  # how Kubernetes keeps versions of a volume
            continue
        content = {name: _content(place / name) for name in ("authorized_keys", "kubeconfig")}
        why = complaint(place.name, taken=SYSTEM_LOGINS, files=[name for name, text in content.items() if text.strip()])
        if why:
            complaints.append(why)
        else:
            operators.append(Operator(place.name, content["authorized_keys"], content["kubeconfig"]))
    return operators, complaints


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def write_private(path: Path, content: bytes, *, owner: int, mode: int = 0o400) -> None:
    """Put a file in place in one step; only its owner reads it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
        os.fchown(descriptor, owner, owner)
    fresh.replace(path)


def own_folder(path: Path, owner: int) -> None:
    """Make a folder that only its owner enters, unless it is there."""
    if not path.exists():
        path.mkdir(mode=0o700)
        os.chown(path, owner, owner)


@dataclass(slots=True)
class Bastion:
    """The accounts that there are, and those who use them.

    Attributes:
        operators: Who may log in, as last read.
        accounts: Their accounts.
        leaving: Accounts of people who were taken away, with whether they were told already.
        complaints: Said already.
    """

    places: Places
    operators: list[Operator] = field(default_factory=list)
    accounts: tuple[Account, ...] = ()
    leaving: dict[int, bool] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def follow(self) -> None:
        """Bring the accounts to what the mounted folder says, and put out who is no longer in it."""
        operators, complaints = read_operators(self.places.operators)
        if complaints != self.complaints:
            say(complaints)
            self.complaints = complaints
        if operators != self.operators or not (self.places.run / "accounts").exists():
            self._change(operators)
        for uid, told in self.leaving.items():
            end_processes(uid, signal.SIGKILL if told else signal.SIGTERM)
            self.leaving[uid] = True

    def _change(self, operators: Sequence[Operator]) -> None:
        before = self.accounts
        owners = {place.name: place.stat().st_uid for place in self.places.journals.iterdir()}
        owners |= {one.login: one.uid for one in before}
        self.accounts = accounts([one.login for one in operators], owners)
        for operator, account in zip(sorted(operators, key=lambda one: one.login), self.accounts, strict=True):
            self._settle(operator, account)
        self._publish()
        stay = {one.uid for one in self.accounts}
        for gone in before:
            if gone.uid not in stay:
                self._take_away(gone)
        self.leaving = {uid: told for uid, told in self.leaving.items() if uid not in stay}
        self.operators = list(operators)
        say([f"operators: {' '.join(one.login for one in self.accounts) or 'none'}"])

    def _settle(self, operator: Operator, account: Account) -> None:
        folder = self.places.run / "operators" / operator.login
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        own_folder(self.places.journal(operator.login), account.uid)
        own_folder(self.places.homes / operator.login, account.uid)
        write_private(folder / "authorized_keys", operator.authorized_keys, owner=os.getuid(), mode=0o444)
        write_private(folder / "kubeconfig", operator.kubeconfig, owner=account.uid)

    def _take_away(self, account: Account) -> None:
        for name in ("authorized_keys", "kubeconfig"):
            (self.places.run / "operators" / account.login / name).unlink(missing_ok=True)
        self.leaving[account.uid] = False

    def _publish(self) -> None:
        folder = self.places.run / "accounts"
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        lines = {"passwd": passwd(self.accounts, str(self.places.homes)), "group": group(self.accounts)}
        for name, text in lines.items():
            write_private(folder / name, text.encode(), owner=os.getuid(), mode=0o444)

    def serve(self, connections: Connections, arrivals: "Arrivals") -> None:
        """Accept connections and follow the folder until a signal says to end.

        Every process that has lost its parent is ours to wait for.
        """
        watched: list[socket.socket | Arrivals] = [connections.listener, arrivals]
        due = time.monotonic() + FOLLOW_SECONDS
        while True:
            ready, _, _ = select.select(watched, [], [], max(0.0, due - time.monotonic()))
            if arrivals.take() & TO_END:
                connections.close()
                self._end(connections, arrivals)
                return
            connections.forget(reap())
            if connections.listener in ready and (why := connections.accept()):
                say([why])
            if time.monotonic() >= due:
                self.follow()
                due = time.monotonic() + FOLLOW_SECONDS

    def _end(self, connections: Connections, arrivals: "Arrivals") -> None:
        """End the sessions in order: each writes its last line to the journal."""
        for account in self.accounts:
            end_processes(account.uid, signal.SIGTERM)
        until = time.monotonic() + FOLLOW_SECONDS
        while any(processes_of(account.uid) for account in self.accounts) and time.monotonic() < until:
            select.select([arrivals], [], [], 0.1)
            arrivals.take()
            connections.forget(reap())
        for process in connections.present:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)


class Arrivals:
    """Signals as something to wait for beside a socket, with ``select``.

    Args:
        numbers: Which; from now on they do nothing by themselves.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._arrived, self._write = socket.socketpair()
        for end in (self._arrived, self._write):
            end.setblocking(False)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def fileno(self) -> int:
        """For ``select``."""
        return self._arrived.fileno()

    def take(self) -> set[int]:
        """Numbers of those that came since."""
        try:
            return set(self._arrived.recv(4096))
        except BlockingIOError:
            return set()

    def close(self) -> None:
        """Hear of no more; they still do nothing by themselves."""
        signal.set_wakeup_fd(-1)
        self._arrived.close()
        self._write.close()


def reap() -> Mapping[int, int]:
    """Wait for every process that has ended; exit codes by process."""
    ended: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    return ended


def processes_of(uid: int) -> list[int]:
    """The processes of one account."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if folder.stat().st_uid == uid and _state(folder) != "Z":
                found.append(int(folder.name))
    return found


def _state(folder: Path) -> str:
    return (folder / "stat").read_text().rpartition(") ")[2][:1]


def end_processes(uid: int, number: signal.Signals) -> None:
    """Send a signal to every process of one account."""
    for process in processes_of(uid):
        with suppress(ProcessLookupError):
            os.kill(process, number)


def say(sentences: Sequence[str]) -> None:
    """Tell whoever reads the container's log; each connection's sshd writes there too."""
    sys.stderr.write("".join(f"bastion: {sentence}\n" for sentence in sentences))
    sys.stderr.flush()
