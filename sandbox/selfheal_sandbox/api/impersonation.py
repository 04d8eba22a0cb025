"""Requests sent in somebody else's name: ``kubectl --as``.

Follows ``k8s.io/apiserver/pkg/endpoints/filters/impersonation.go``.
"""

from collections.abc import Iterator

from multidict import CIMultiDictProxy

from selfheal_sandbox.api import authorization, errors
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.rbac.authorizer import Attributes, account_groups
from selfheal_sandbox.rbac.policy import Policy

USER, GROUP, UID, EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-"
_ACCOUNT_PREFIX = "system:serviceaccount:"
_ANONYMOUS = "system:anonymous"
_EVERYBODY = "system:authenticated"


def effective_identity(sender: Identity, headers: "CIMultiDictProxy[str]", policy: Policy) -> Identity:
    """Return in whose name a request is sent: the sender's own, unless the headers name somebody else.

    Raises:
        ApiError: 400, groups without a user; 403, the sender may not impersonate whom the headers name.
    """
    username, groups, uid = headers.get(USER, ""), tuple(headers.getall(GROUP, ())), headers.get(UID, "")
    if not username:
        if groups or uid:
            raise errors.bad_request("groups or a uid cannot be impersonated without a user")
        return sender
    if any(name.lower().startswith(EXTRA.lower()) for name in headers):
        raise errors.bad_request("the sandbox does not impersonate extra fields of a user")
    for wanted in _wanted(sender, username, groups, uid):
        decision = policy.decide(wanted)
        if not decision.allowed:
            raise authorization.forbidden(wanted, decision.reason)
    return Identity(username, _groups(username, groups), uid)


def _wanted(sender: Identity, username: str, groups: tuple[str, ...], uid: str) -> Iterator[Attributes]:
    account = account_of(username)
    if account:
        yield Attributes(sender, "impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(sender, "impersonate", resource="users", name=username)
    for group in groups:
        yield Attributes(sender, "impersonate", resource="groups", name=group)
    if uid:
        yield Attributes(sender, "impersonate", group="authentication.k8s.io", resource="uids", name=uid)


def account_of(username: str) -> tuple[str, str] | None:
    """Return namespace and name of a service account's user name, or None."""
    namespace, _, name = username.removeprefix(_ACCOUNT_PREFIX).partition(":")
    return (namespace, name) if username.startswith(_ACCOUNT_PREFIX) and namespace and name else None


def _groups(username: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    account = account_of(username)
    if account and not groups:
        return account_groups(account[0])
    if username == _ANONYMOUS or _EVERYBODY in groups:
        return groups
    return (*groups, _EVERYBODY)
