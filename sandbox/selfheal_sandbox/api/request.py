"""One HTTP request as the handlers see it: path, typed query values, body, who asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from selfheal_sandbox.api import decoding, errors
from selfheal_sandbox.api.objects import Check
from selfheal_sandbox.api.ports import Identity
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
from selfheal_sandbox.store.objects import Object, parse_rfc3339

Strictness: TypeAlias = Literal["Ignore", "Warn", "Strict"]

_FALSE = frozenset({"0", "f", "false"})
MANAGER_LIMIT = 128
_INT64_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a request; wrong values raise `ApiError` 400."""

    pairs: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def parse(text: str) -> "Query":
        """Read a query string; undecodable bytes are replaced."""
        return Query(tuple(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=1000)))

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return every value of a parameter."""
        return [value for key, value in self.pairs if key == name]

    def has(self, name: str) -> bool:
        """Return whether a parameter is there at all."""
        return any(key == name for key, _ in self.pairs)

    def flag(self, name: str) -> bool:
        """Return a yes or no: whatever is not one of Go's words for false means yes, as the API server reads it."""
        return self.has(name) and self.text(name).lower() not in _FALSE

    def number(self, name: str) -> int | None:
        """Return a whole number, or None when the parameter is missing or empty."""
        text = self.text(name)
        if not text:
            return None
        digits = text.removeprefix("-").removeprefix("+")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _INT64_DIGITS):
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax (parameter {name})')
        return int(text)

    def time(self, name: str) -> datetime | None:
        """Return a time in RFC 3339 form, or None when the parameter is missing or empty."""
        text = self.text(name)
        if not text:
            return None
        try:
            return parse_rfc3339(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise errors.bad_request(f'parsing time "{text}": not an RFC 3339 time (parameter {name})') from None


_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
"""Kinds of the options in a query, by method."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was authenticated and read.

    Attributes:
        method: HTTP method.
        raw_path: path as sent, without the query.
        parts: the decoded parts of the path.
        query: the query.
        headers: the headers.
        body: the body; empty for a GET.
        identity: who sent it.
        http: the request of the HTTP library, for answers that stream.
        warnings: texts for ``Warning`` headers; handlers add to it.
        check: refuses an object that the sender may not store, for what is in it; see `Objects.create`.
    """

    method: str
    raw_path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    identity: Identity
    http: web.Request
    query: Query
    warnings: list[str] = field(default_factory=list)
    check: Check | None = None

    @property
    def parts(self) -> list[str]:
        """The decoded parts of the path."""
        return split_path(self.raw_path)

    @property
    def accept(self) -> str:
        """The Accept header."""
        return self.headers.get("Accept", "*/*")

    @property
    def content_type(self) -> str:
        """The Content-Type header."""
        return self.headers.get("Content-Type", "")

    def object(self) -> Object:
        """Decode the body as an object."""
        return decoding.decode_object(self.body, self.content_type)

    def optional_object(self) -> Object:
        """Decode the body as an object; {} when there is none."""
        return self.object() if self.body.strip() else {}

    def dry_run(self) -> bool:
        """Return whether nothing shall be stored.

        Raises:
            ApiError: 422, ``dryRun`` has another value than ``All``.
        """
        values = [value for value in self.query.all("dryRun") if value]
        unknown = next((value for value in values if value != "All"), None)
        if unknown is not None:
            raise option_error(cause.not_supported("dryRun", unknown, ["All"]), self._options_kind())
        return bool(values)

    def strictness(self) -> Strictness:
        """Return what to do with unknown fields.

        Raises:
            ApiError: 422, ``fieldValidation`` has an unknown value.
        """
        match self.query.text("fieldValidation"):
            case "":
                return "Warn"
            case "Ignore" | "Warn" | "Strict" as known:
                return known
            case unknown:
                problem = cause.not_supported("fieldValidation", unknown, ["Ignore", "Strict", "Warn"])
                raise option_error(problem, self._options_kind())

    def manager(self) -> str:
        """Return the field manager: the client's choice, else the first word of its User-Agent.

        Raises:
            ApiError: 422, the chosen name is too long.
        """
        chosen = self.query.text("fieldManager")
        if len(chosen) > MANAGER_LIMIT:
            raise option_error(cause.too_long("fieldManager", MANAGER_LIMIT), self._options_kind())
        agent = self.headers.get("User-Agent", "").partition("/")[0].partition(" ")[0]
        return chosen or agent[:MANAGER_LIMIT] or "unknown"

    def _options_kind(self) -> str:
        return _OPTIONS.get(self.method, "Options")

    def write_options(self) -> dict[str, Any]:
        """Return what `Objects.create` and `Objects.update` want to know of a request."""
        return {
            "manager": self.manager(),
            "dry_run": self.dry_run(),
            "strictness": self.strictness(),
            "warnings": self.warnings,
            "check": self.check,
        }


def split_path(raw_path: str) -> list[str]:
    """Return the decoded, non-empty parts of a path."""
    return [unquote(part, errors="replace") for part in raw_path.split("/") if part]


def option_error(problem: Cause, options: str = "Options") -> errors.ApiError:
    """422 for the options of a request."""
    return errors.invalid_kind(options, "meta.k8s.io", "", [problem])
