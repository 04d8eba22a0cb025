"""Users made for a sandbox: their tokens and kubeconfigs, in its folder, and the roles they are bound to.

The tokens are in one file that the running sandbox reads again when it changed, like the static token file of a
Kubernetes API server. It stays when the sandbox ends; `refresh` brings the kubeconfigs up to date when it starts.
"""

import contextlib
import csv
import fcntl
import io
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal_core.errors import did_you_mean
from selfheal_sandbox import access, private_file
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.client import Client, ClientError, Conflict, NotFound
from selfheal_sandbox.rbac.authorizer import RBAC_GROUP
from selfheal_sandbox.state import Folder, StateError
from selfheal_sandbox.store.objects import Object

AUTHENTICATED = "system:authenticated"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.@_]{0,61}[a-z0-9])?")
_RBAC_PATH = f"/apis/{RBAC_GROUP}/v1"


@dataclass(frozen=True, slots=True)
class User:
    """One line of the token file; ``namespace`` is that of the user's kubeconfig."""

    token: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class UserFiles:
    """Where the users of a sandbox are kept."""

    folder: Path

    @classmethod
    def of(cls, sandbox: Folder) -> "UserFiles":
        """Return those of a sandbox."""
        return cls(sandbox.path / "users")

    @property
    def tokens(self) -> Path:
        """The token file."""
        return self.folder / "tokens.csv"

    def kubeconfig(self, name: str) -> Path:
        """Return where the kubeconfig of a user is."""
        return self.folder / f"{name}.kubeconfig"

    def read(self) -> dict[str, User]:
        """Return the users by name; none when there is no file."""
        try:
            text = self.tokens.read_text()
        except FileNotFoundError:
            return {}
        users = [User(*row) for row in csv.reader(io.StringIO(text)) if len(row) == len(User.__slots__)]
        return {user.name: user for user in users}

    def write(self, users: dict[str, User]) -> None:
        """Replace the token file."""
        text = io.StringIO()
        rows = ((user.token, user.name, user.namespace) for user in users.values())
        csv.writer(text, lineterminator="\n").writerows(rows)
        private_file.write(self.tokens, text.getvalue())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, and keep others from changing it meanwhile."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class TokenFile:
    """The token file as a running sandbox sees it: read again when it was replaced."""

    def __init__(self, files: UserFiles) -> None:
        self._path = files.tokens
        self._files = files
        self._version: tuple[int, int] | None = None
        self._identities: dict[bytes, Identity] = {}

    def authenticate(self, token: str) -> Identity | None:
        """Return whose token it is."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        version = (status.st_ino, status.st_mtime_ns)
        if version != self._version:
            users = self._files.read().values()
            self._identities = {access.token_key(user.token): Identity(user.name, (AUTHENTICATED,)) for user in users}
            self._version = version
        return self._identities.get(access.token_key(token))


def checked_name(name: str) -> str:
    """Return a name that a made user may have.

    Raises:
        StateError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise StateError(
            f"--as {name!r}: a user's name has 1 to 63 of a-z, 0-9 and -.@_, and begins and ends with a-z0-9"
        )
    return name


def make(sandbox: Folder, client: Client, name: str, roles: tuple[str, ...], namespace: str | None) -> Path:
    """Make a user, or find the one of this name, bind ClusterRoles to it, and return the path of its kubeconfig.

    Args:
        sandbox: which one.
        client: of the running sandbox, as its administrator.
        name: of the user.
        roles: names of ClusterRoles that it gets beside those it has.
        namespace: where it gets them; None for everywhere.

    Raises:
        ClientError: there is no such role or namespace, or the sandbox does not answer.
        StateError: the folder cannot be used.
    """
    for role in roles:
        _check_role(client, role)
    if namespace is not None:
        _check_namespace(client, namespace)
    files = UserFiles.of(sandbox)
    try:
        with files.locked():
            users = files.read()
            before = users.get(name, User(secrets.token_urlsafe(access.TOKEN_BYTES), name, "default"))
            user = User(before.token, name, namespace or before.namespace)
            files.write({**users, name: user})
            _write_kubeconfig(files, sandbox, user, f"https://{client.host}:{client.port}", client.authority)
    except OSError as error:
        raise StateError(f"cannot write to {files.folder}: {error.strerror}") from None
    for role in roles:
        _bind(client, name, role, namespace)
    return files.kubeconfig(name)


def refresh(sandbox: Folder, url: str, authority: bytes) -> None:
    """Bring the kubeconfigs of all users up to date: a sandbox that starts has another port and certificate."""
    files = UserFiles.of(sandbox)
    for user in files.read().values():
        _write_kubeconfig(files, sandbox, user, url, authority)


def _write_kubeconfig(files: UserFiles, sandbox: Folder, user: User, url: str, authority: bytes) -> None:
    context = f"{access.context_name(sandbox.name)}-{user.name}"
    text = access.kubeconfig(context, url, authority, user.token, user=user.name, namespace=user.namespace)
    private_file.write(files.kubeconfig(user.name), text)


def _check_role(client: Client, role: str) -> None:
    listed = client.get(f"{_RBAC_PATH}/clusterroles")["items"]
    known = [item["metadata"]["name"] for item in listed]
    if role not in known:
        shown = [name for name in known if not name.startswith("system:")]
        raise ClientError(f"there is no ClusterRole {role!r}; {did_you_mean(role, shown)}")


def _check_namespace(client: Client, namespace: str) -> None:
    try:
        client.get(f"/api/v1/namespaces/{namespace}")
    except NotFound:
        text = f"there is no namespace {namespace!r}; make it with: kubectl create namespace {namespace}"
        raise ClientError(text) from None


def _bind(client: Client, user: str, role: str, namespace: str | None) -> None:
    kind, place = ("ClusterRoleBinding", "") if namespace is None else ("RoleBinding", f"/namespaces/{namespace}")
    binding: Object = {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": f"selfheal-sandbox:{user}:{role}"},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC_GROUP, "kind": "User", "name": user}],
    }
    with contextlib.suppress(Conflict):  # it has this role already
        client.post(f"{_RBAC_PATH}{place}/{kind.lower()}s", binding)
