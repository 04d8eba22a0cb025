"""Errors of the API as ``Status`` bodies, worded as the Kubernetes API server words them."""

from collections.abc import Mapping, Sequence
from typing import Any

from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class ApiError(Exception):
    """A request that the API refuses.

    Attributes:
        code: HTTP status code.
        reason: machine-readable reason, for example ``NotFound``; "" for what the API server gives none.
        message: text for people.
        details: ``details`` of the Status.
        headers: extra HTTP headers, for example ``Retry-After``.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: Object = details or {}
        self.headers: Mapping[str, str] = headers or {}

    def status(self) -> Object:
        """Return the ``Status`` object that goes into the body."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
        }
        if self.details:
            body["details"] = self.details
        return {**body, "code": self.code}


def details_of(resource: Resource, name: str, **more: Any) -> Object:
    """Return Status details that name one object."""
    group = {"group": resource.group} if resource.group else {}
    return {"name": name, **group, "kind": resource.plural, **more}


def success(code: int = 200, details: Object | None = None) -> Object:
    """Return a ``Status`` that says success."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**body, "details": details} if details else {**body, "code": code}


class WrongTypeError(ApiError):
    """An object that does not decode into its kind.

    Attributes:
        problem: what is wrong, as the decoder has it.
    """

    def __init__(self, message: str, problem: str) -> None:
        super().__init__(400, "BadRequest", message)
        self.problem = problem


def not_found(resource: Resource, name: str) -> ApiError:
    """404: no such object."""
    return ApiError(404, "NotFound", f'{resource.group_resource} "{name}" not found', details_of(resource, name))


def no_such_path() -> ApiError:
    """404: no such resource or path."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str, *, terminating: bool = False) -> ApiError:
    """409: the name is taken, perhaps by an object that is about to go."""
    message = f'{resource.group_resource} "{name}" already exists'
    if terminating:
        message = f"object is being deleted: {message}"
    return ApiError(409, "AlreadyExists", message, details_of(resource, name))


def conflict(resource: Resource, name: str, message: str = MODIFIED) -> ApiError:
    """409: the object is not what the caller thinks it is."""
    text = f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {message}'
    return ApiError(409, "Conflict", text, details_of(resource, name))


def failed_precondition(resource: Resource, name: str, message: str) -> ApiError:
    """409: the object is not the one that is to be deleted. It names the kind and not the resource, as upstream."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {**details_of(resource, name), "kind": resource.kind}
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {message}', details)


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unnamed(name: str) -> ApiError:
    """400: an object that is to be written where the path names one does not say its name."""
    return bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")


def wrong_type(resource: Resource, problem: str) -> WrongTypeError:
    """400: the object does not decode into its kind."""
    kind = resource.kind
    text = f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {problem}'
    return WrongTypeError(text, problem)


def wrong_namespace() -> ApiError:
    """400: the object says another namespace than the path."""
    return bad_request("the namespace of the provided object does not match the namespace sent on the request")


def forbidden(resource: Resource, name: str, message: str, causes: Sequence[Object] = ()) -> ApiError:
    """403: the object's state or the server's rules do not allow it."""
    details = details_of(resource, name, **({"causes": list(causes)} if causes else {}))
    return ApiError(403, "Forbidden", f'{resource.group_resource} "{name}" is forbidden: {message}', details)


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object breaks rules; names every broken one."""
    return invalid_kind(resource.kind, resource.group, name, causes)


def invalid_kind(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 for something that is no resource, such as the options of a request."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {
        **({"name": name} if name else {}),
        **({"group": group} if group else {}),
        **({"kind": kind} if kind else {}),
        "causes": [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes],
    }
    full_kind = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{full_kind} "{name}" is invalid: {listed}', details)


def method_not_allowed() -> ApiError:
    """405: the resource has no such verb."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    """406: the client takes none of the forms we can write."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return ApiError(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415: the body is in a form we cannot read."""
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return ApiError(415, "UnsupportedMediaType", message)


def too_large(limit_bytes: int) -> ApiError:
    """413: the body is larger than the server reads."""
    message = f"Request entity too large: limit is {limit_bytes}"
    return ApiError(413, "RequestEntityTooLarge", message)


def expired(message: str) -> ApiError:
    """410: the asked-for resource version is no longer held."""
    return ApiError(410, "Expired", message)


def version_too_large(asked: int, current: int) -> ApiError:
    """504: the asked-for resource version lies in the future."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1}, {"Retry-After": "1"})


def unauthorized() -> ApiError:
    """401: no valid token."""
    return ApiError(401, "Unauthorized", "Unauthorized", headers={"WWW-Authenticate": "Bearer"})


def unavailable(message: str) -> ApiError:
    """503: nothing serves the request now."""
    return ApiError(503, "ServiceUnavailable", message)
