"""Lists: selectors, pages, and the resource version they show.

A page after the first shows the state at the first page's resource version, as on a cluster: changes since then are
undone from the history. When the history no longer reaches back that far, the answer is 410 Expired.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.rendering import Form, render_list
from selfheal_sandbox.api.request import Query, option_error
from selfheal_sandbox.api.selection import Selection
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.registry import Resource
from selfheal_sandbox.store.objects import Object, name_of, namespace_of
from selfheal_sandbox.store.store import Entry, ExpiredError, Store

_CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter."
)


class Token(msgspec.Struct, frozen=True):
    """What a ``continue`` token holds: the resource version of the list, and the last object of the page."""

    revision: int
    namespace: str
    name: str

    @property
    def place(self) -> tuple[str, str]:
        """Namespace and name of the last object shown."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    entries: list[Entry]
    metadata: Object


def check_options(query: Query) -> None:
    """Refuse options that do not go together.

    Raises:
        ApiError: 400 or 422.
    """
    if query.has("sendInitialEvents"):
        problem = cause.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
        raise option_error(problem, "ListOptions")
    _asked_revision(query)


def list_page(store: Store, resource: Resource, chosen: Selection, query: Query) -> Page:
    """Return the objects that a list request means.

    Raises:
        ApiError: 400 bad parameters, 410 the version is gone, 504 the version lies in the future.
    """
    limit = max(0, query.number("limit") or 0)
    token = decode_token(query.text("continue"))
    revision, entries = _state(store, resource, chosen, query, token)
    matching = [entry for entry in entries if chosen.matches(entry.obj)] if chosen.has_selectors else entries
    if token is not None:
        matching = _after(matching, token)
    shown = matching[:limit] if limit else matching
    left = len(matching) - len(shown)
    if (
        shown and limit == len(shown) and resource.kind == "Event"
    ):  # held in no watch cache: pages end by what is stored
        left = sum(_place(entry) > _place(shown[-1]) for entry in entries)
    return Page(shown, _metadata(revision, shown, left, chosen))


def _place(entry: Entry) -> tuple[str, str]:
    return namespace_of(entry.obj), name_of(entry.obj)


def _state(
    store: Store, resource: Resource, chosen: Selection, query: Query, token: Token | None
) -> tuple[int, list[Entry]]:
    """Return the revision that the list shows, and all objects as they were then."""
    asked = token.revision if token else _asked_revision(query)
    if asked > store.revision:
        raise errors.version_too_large(asked, store.revision)
    exact = token is not None or query.text("resourceVersionMatch") == "Exact"
    if not exact:
        return store.revision, store.entries(resource.storage_key, chosen.namespace)
    try:
        return asked, store.entries_at(resource.storage_key, chosen.namespace, asked)
    except ExpiredError:
        if token is None:
            raise errors.expired("The resourceVersion for the provided list is too old.") from None
        raise errors.expired(_CONTINUE_EXPIRED) from None


def _asked_revision(query: Query) -> int:
    """Return the resource version that a list asks for; 0 for "whatever there is"."""
    text, match = query.text("resourceVersion"), query.text("resourceVersionMatch")
    if match not in ("", "Exact", "NotOlderThan"):
        raise option_error(
            cause.not_supported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]), "ListOptions"
        )
    if match and not text:
        problem = cause.forbidden(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
        raise option_error(problem, "ListOptions")
    if match == "Exact" and text == "0":
        problem = cause.forbidden(
            "resourceVersionMatch", 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'
        )
        raise option_error(problem, "ListOptions")
    return parse_revision(text)


def parse_revision(text: str) -> int:
    """Return a resource version as a number; "" is 0.

    Raises:
        ApiError: 400, it is none.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise errors.bad_request(f'Invalid value: "{text}": resourceVersion must be a whole number')
    return int(text)


def _after(entries: Iterable[Entry], token: Token) -> list[Entry]:
    return [entry for entry in entries if _place(entry) > token.place]


def _metadata(revision: int, shown: list[Entry], remaining: int, chosen: Selection) -> Object:
    metadata: Object = {"resourceVersion": str(revision)}
    if remaining and shown:
        last = shown[-1].obj
        metadata["continue"] = encode_token(Token(revision, namespace_of(last), name_of(last)))
        if not chosen.has_selectors:
            metadata["remainingItemCount"] = remaining
    return metadata


def encode_token(token: Token) -> str:
    """Return a token as clients carry it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def decode_token(text: str) -> Token | None:
    """Return what a client brings back, or None for "".

    Raises:
        ApiError: 400, we never gave that out.
    """
    if not text:
        return None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=Token)
    except (UnicodeError, binascii.Error, msgspec.DecodeError):
        raise errors.bad_request(f'continue key is not valid: "{text[:100]}"') from None


def list_body(store: Store, resource: Resource, chosen: Selection, query: Query, form: Form, now: datetime) -> bytes:
    """Return the body of a list response."""
    page = list_page(store, resource, chosen, query)
    return render_list(resource, page.entries, page.metadata, form, now)
