"""Lists: selectors, pages, and the resource version they show.

A page after the first shows the state at the first page's resource version, as on a cluster: changes since then are
undone from the history. When the history no longer reaches back that far, the answer is 410 Expired.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from selfheal_sandbox.api import errors
from selfheal_sandbox.api.rendering import Form, render_list
from selfheal_sandbox.api.request import Query
from selfheal_sandbox.api.selection import Selection, check_syntax
from selfheal_sandbox.kinds import cause
from selfheal_sandbox.kinds.cause import Cause
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
    """Refuse options that cannot be read or do not go together; what a kind can be selected by is told after this.

    Raises:
        ApiError: 400 or 422.
    """
    query.number("limit")
    check_syntax(query)
    problems = list(_version_problems(query))
    if query.has("sendInitialEvents"):
        problems.append(cause.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if problems:
        raise errors.invalid_kind("ListOptions", "meta.k8s.io", "", problems)


def _version_problems(query: Query) -> Iterator[Cause]:
    """Yield what is wrong with a ``resourceVersionMatch`` (ValidateListOptions of apimachinery)."""
    field, match, version = "resourceVersionMatch", query.text("resourceVersionMatch"), query.text("resourceVersion")
    if not match:
        return
    if not version:
        yield cause.forbidden(field, f"{field} is forbidden unless resourceVersion is provided")
    if query.text("continue"):
        yield cause.forbidden(field, f"{field} is forbidden when continue is provided")
    if match not in ("Exact", "NotOlderThan"):
        yield cause.not_supported(field, match, ["Exact", "NotOlderThan", ""])
    if match == "Exact" and version == "0":
        yield cause.forbidden(field, f'{field} "Exact" is forbidden for resourceVersion "0"')


def list_page(store: Store, resource: Resource, chosen: Selection, query: Query) -> Page:
    """Return the objects that a list request means.

    Raises:
        ApiError: 400 bad parameters, 410 the version is gone, 504 the version lies in the future.
    """
    token = decode_token(query.text("continue"))
    limit = _limit(resource, query)
    revision, entries = _state(store, resource, chosen, query, token)
    matching = [entry for entry in entries if chosen.matches(entry.obj)] if chosen.has_selectors else entries
    if token is not None:
        matching = _after(matching, token)
    shown = matching[:limit] if limit else matching
    left = 0
    if shown and limit == len(shown) and not chosen.is_one_object:
        # As on a cluster, a full page is followed by another one if anything is stored after it, selected or not.
        left = sum(_place(entry) > _place(shown[-1]) for entry in entries)
    return Page(shown, _metadata(revision, shown, left, chosen))


def _limit(resource: Resource, query: Query) -> int:
    """Return how many objects a page has at most; 0 for all of them.

    A client that takes whatever version there is gets it from the watch cache, which has no pages and no Events.
    """
    if query.text("resourceVersion") == "0" and resource.kind != "Event":
        return 0
    return max(0, query.number("limit") or 0)


def _place(entry: Entry) -> tuple[str, str]:
    return namespace_of(entry.obj), name_of(entry.obj)


def _state(
    store: Store, resource: Resource, chosen: Selection, query: Query, token: Token | None
) -> tuple[int, list[Entry]]:
    """Return the revision that the list shows, and all objects as they were then."""
    if token is not None and query.text("resourceVersion") not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    asked = token.revision if token else parse_revision(query.text("resourceVersion"))
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
