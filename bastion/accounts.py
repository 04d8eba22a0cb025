"""Which accounts there are: decisions alone, nothing is read or written here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FIRST_UID = 2000
LONGEST_LOGIN = 32
SHELL = "/bin/sh"
"""sshd starts the session through it; nobody gets to type into it."""
_LOGIN = re.compile(rf"[a-z_][a-z0-9_-]{{0,{LONGEST_LOGIN - 1}}}")


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who may log in, as the mounted folder has them."""

    login: str
    authorized_keys: bytes
    kubeconfig: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """An operator's account; its group has the same number and name."""

    login: str
    uid: int


def complaint(login: str, *, taken: Iterable[str], files: Iterable[str]) -> str:
    """Why a folder among the operators is not an operator; "" if it is one.

    Args:
        login: The folder's name.
        taken: Logins of the system.
        files: What of ``authorized_keys`` and ``kubeconfig`` can be read and is not empty.
    """
    if not _LOGIN.fullmatch(login):
        return (
            f"operator {login!r} is left out: a login has lower-case letters, digits, - and _, at most {LONGEST_LOGIN}"
        )
    if login in taken:
        return f"operator {login} is left out: the system has an account of that name"
    missing = sorted({"authorized_keys", "kubeconfig"} - set(files))
    if missing:
        return f"operator {login} is left out: {' and '.join(missing)} missing, empty or not readable in {login}/"
    return ""


def accounts(logins: Iterable[str], owners: Mapping[str, int]) -> tuple[Account, ...]:
    """Give each login its account number: the one that its journal belongs to, else a new one.

    Args:
        logins: Who may log in.
        owners: Owner of each journal folder that is there, by login, of people who have left too.
    """
    known = {login: uid for login, uid in owners.items() if uid >= FIRST_UID}
    following = max(known.values(), default=FIRST_UID - 1) + 1
    given: list[Account] = []
    for login in sorted(logins):
        if login in known:
            given.append(Account(login, known[login]))
        else:
            given.append(Account(login, following))
            following += 1
    return tuple(given)


def passwd(those: Iterable[Account], homes: str) -> str:
    """The accounts as lines of passwd; no password opens them."""
    return "".join(f"{one.login}:*:{one.uid}:{one.uid}::{homes}/{one.login}:{SHELL}\n" for one in those)


def group(those: Iterable[Account]) -> str:
    """The accounts' groups as lines of group."""
    return "".join(f"{one.login}:*:{one.uid}:\n" for one in those)
