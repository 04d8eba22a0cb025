"""Reads Helm's release Secrets: history from their metadata, one body on demand. Pure.

Helm keeps each revision in a Secret ``sh.helm.release.v1.NAME.vN`` of type ``helm.sh/release.v1``. Its labels say
name, status, version and time, so that history needs no body; the body is JSON, gzipped, in base64, and once more in
base64 as any Secret's data.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from selfheal_core.domain.objects import Metadata
from selfheal_core.domain.quantities import whole_number
from selfheal_core.domain.snapshot import Revision
from selfheal_core.domain.times import parse_time
from selfheal_core.errors import SelfhealError

RELEASE_SELECTOR = {"labelSelector": "owner=helm"}
BODY_LIMIT_BYTES = 32 * 2**20
"""A Secret holds at most 1 MB; what inflates to more than this is not a release."""
GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class ReleaseBody:
    """What one revision installed.

    Attributes:
        values: What the user gave, without the chart's own defaults.
        manifest: All objects as YAML text, hooks left out.
    """

    release: str
    namespace: str
    revision: int
    status: str
    description: str
    chart: str
    chart_version: str
    app_version: str
    values: dict[str, Any]
    manifest: str
    notes: str


class _Info(msgspec.Struct, frozen=True):
    status: str = ""
    description: str = ""
    notes: str = ""


class _ChartMetadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    version: str = ""
    app_version: str = ""


class _Chart(msgspec.Struct, frozen=True):
    metadata: _ChartMetadata = _ChartMetadata()


class _Release(msgspec.Struct, frozen=True):
    name: str
    version: int
    namespace: str = ""
    info: _Info = _Info()
    chart: _Chart = _Chart()
    config: dict[str, Any] | None = None
    manifest: str = ""


def secret_name(release: str, revision: int) -> str:
    """Name of the Secret in which Helm keeps a revision."""
    return f"sh.helm.release.v1.{release}.v{revision}"


def revision_from_metadata(metadata: Metadata) -> Revision | None:
    """Read a revision from its Secret's metadata; None if it is no release Secret."""
    labels = metadata.labels
    number = whole_number(labels.get("version", ""))
    if labels.get("owner") != "helm" or not labels.get("name") or number is None:
        return None
    return Revision(
        release=labels["name"],
        namespace=metadata.namespace,
        number=number,
        status=labels.get("status", "unknown"),
        # Helm's own label `modifiedAt` changes again when a newer revision supersedes this one.
        deployed_at=parse_time(metadata.creation_timestamp),
        secret_uid=metadata.uid,
        resource_version=metadata.resource_version,
    )


def newest_first(revisions: Iterable[Revision]) -> tuple[Revision, ...]:
    """Sort by revision number, newest first."""
    return tuple(sorted(revisions, key=lambda revision: revision.number, reverse=True))


def decode_release(data: str | bytes) -> ReleaseBody:
    """Decode ``data.release`` of a release Secret, as the API gives it.

    Raises:
        SelfhealError: It is not what Helm writes.
    """
    try:
        release = msgspec.json.decode(_inflate(base64.b64decode(data)), type=_Release)
    except (binascii.Error, zlib.error, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SelfhealError("the release Secret does not hold what Helm writes") from error
    chart = release.chart.metadata
    return ReleaseBody(
        release=release.name,
        namespace=release.namespace,
        revision=release.version,
        status=release.info.status,
        description=release.info.description,
        chart=chart.name,
        chart_version=chart.version,
        app_version=chart.app_version,
        values=release.config or {},
        manifest=release.manifest,
        notes=release.info.notes,
    )


def _inflate(encoded: bytes) -> bytes:
    stream = zlib.decompressobj(GZIP_WINDOW)
    body = stream.decompress(base64.b64decode(encoded), BODY_LIMIT_BYTES)
    if stream.unconsumed_tail:
        raise ValueError("longer than a release can be")
    return body
