"""From a request to what it wants, and the refusal where it may not.

Follows ``k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`` and ``handlers/responsewriters/errors.go``.
"""

from collections.abc import Sequence
from dataclasses import replace

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.api.request import Query
from selfheal_sandbox.api.target import NAMESPACE_SUBRESOURCES, verb_of
from selfheal_sandbox.rbac.authorizer import Attributes

_STREAMS = frozenset({"attach", "exec", "portforward"})
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def attributes_of(user: Identity, method: str, parts: Sequence[str], query: Query) -> Attributes:
    """Return what a request wants.

    Args:
        user: who sends it.
        method: HTTP method.
        parts: the decoded parts of the path.
        query: tells a watch from a list, and a list of one object by its name.
    """
    match parts:
        case ["api", _, *rest] if rest:
            return _about_resource(user, method, "", rest, query)
        case ["apis", group, _, *rest] if rest:
            return _about_resource(user, method, group, rest, query)
    return Attributes(user, method.lower(), path=f"/{'/'.join(parts)}")


def _about_resource(user: Identity, method: str, group: str, parts: Sequence[str], query: Query) -> Attributes:
    is_watch_path = parts[0] == "watch" and len(parts) > 1
    namespace, rest = _namespace_and_rest(parts[1:] if is_watch_path else parts)
    resource, name, subresource = (*rest[:3], "", "")[:3]
    watch = is_watch_path or query.flag("watch")
    verb = verb_of(method, has_name=bool(name), watch=watch)
    if not name and verb in ("list", "watch"):  # a name cannot narrow the right to delete a collection
        name = _selected_name(query)
    return Attributes(user, verb, group, resource, subresource, namespace, name)


def _namespace_and_rest(parts: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split off the namespace; a request about a namespace itself is one in that namespace."""
    if parts[0] != "namespaces" or len(parts) == 1:
        return "", parts
    if len(parts) > 2 and parts[2] not in NAMESPACE_SUBRESOURCES:
        return parts[1], parts[2:]
    return parts[1], parts


def _selected_name(query: Query) -> str:
    """Return the name that a field selector wants: rules about named objects allow to list and watch these alone."""
    parts = (part.partition("=") for part in query.text("fieldSelector").split(","))
    return next((value.removeprefix("=") for field, _, value in parts if field == "metadata.name"), "")


def further_checks(wanted: Attributes) -> tuple[Attributes, ...]:
    """Return what a request needs beside: a stream into a pod by GET (a WebSocket) takes the right to create one too.

    As Kubernetes 1.35 and newer do (``AuthorizePodWebsocketUpgradeCreatePermission``).
    """
    if (wanted.resource, wanted.verb) == ("pods", "get") and wanted.subresource in _STREAMS:
        return (replace(wanted, verb="create"),)
    return ()


def forbidden(wanted: Attributes, reason: str) -> ApiError:
    """403: the roles do not allow it; worded as the API server words it."""
    text = _sentence(wanted).translate(_ESCAPES) + (f": {reason}" if reason else "")
    if wanted.path:
        return ApiError(403, "Forbidden", f"forbidden: {text}")
    group_resource = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    named = f'{group_resource} "{wanted.name}"' if wanted.name else group_resource
    details = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
    shown = {field: value for field, value in details.items() if value}
    return errors.ApiError(403, "Forbidden", f"{named} is forbidden: {text}", shown)


def _sentence(wanted: Attributes) -> str:
    who = f'User "{wanted.user.username}" cannot {wanted.verb}'
    if wanted.path:
        return f'{who} path "{wanted.path}"'
    resource = f"{wanted.resource}/{wanted.subresource}" if wanted.subresource else wanted.resource
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    return f'{who} resource "{resource}" in API group "{wanted.group}" {where}'
