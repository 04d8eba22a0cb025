"""Helm's history, read from its Secrets."""

import base64
import gzip
import json
from typing import Any

import pytest

from selfheal_core.cluster.helm import history
from selfheal_core.domain.objects import Metadata
from selfheal_core.domain.snapshot import Revision
from selfheal_core.errors import SelfhealError

LABELS = {"name": "app-a", "owner": "helm", "status": "deployed", "version": "7", "modifiedAt": "1760000000"}


def encode(release: Any) -> str:
    """As Helm does: JSON, gzip, base64; and base64 again, as the API does with any Secret."""
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()


def metadata(**labels: str) -> Metadata:
    merged = {key: value for key, value in {**LABELS, **labels}.items() if value}
    return Metadata(
        name="sh.helm.release.v1.app-a.v7",
        namespace="payments",
        uid="u7",
        resource_version="70",
        creation_timestamp="2025-10-09T08:00:00Z",
        labels=merged,
    )


def test_reads_a_revision_from_labels_alone() -> None:
    assert history.revision_from_metadata(metadata()) == Revision(
        release="app-a",
        namespace="payments",
        number=7,
        status="deployed",
        deployed_at=1_759_996_800.0,
        secret_uid="u7",
        resource_version="70",
    )


@pytest.mark.parametrize("labels", [{"owner": "someone"}, {"name": ""}, {"version": ""}, {"version": "seven"}])
def test_other_secrets_are_no_revisions(labels: dict[str, str]) -> None:
    assert history.revision_from_metadata(metadata(**labels)) is None


def test_a_missing_status_is_unknown() -> None:
    revision = history.revision_from_metadata(metadata(status=""))
    assert revision is not None
    assert revision.status == "unknown"


def test_sorts_by_number_not_by_text() -> None:
    revisions = [history.revision_from_metadata(metadata(version=str(number))) for number in (9, 10, 2)]
    assert [r.number for r in history.newest_first(r for r in revisions if r)] == [10, 9, 2]


def test_names_the_secret_of_a_revision() -> None:
    assert history.secret_name("app-a", 7) == "sh.helm.release.v1.app-a.v7"


def test_decodes_a_body() -> None:
    release = {
        "name": "app-a",
        "version": 7,
        "namespace": "payments",
        "info": {"status": "deployed", "description": "Upgrade complete", "notes": "hello"},
        "chart": {"metadata": {"name": "service", "version": "1.2.3", "appVersion": "2.0"}, "templates": [1, 2]},
        "config": {"image": {"tag": "v2"}},
        "manifest": "---\nkind: Deployment\n",
        "hooks": [],
    }
    body = history.decode_release(encode(release))
    assert (body.release, body.namespace, body.revision, body.status) == ("app-a", "payments", 7, "deployed")
    assert (body.chart, body.chart_version, body.app_version) == ("service", "1.2.3", "2.0")
    assert body.values == {"image": {"tag": "v2"}}
    assert body.manifest == "---\nkind: Deployment\n"
    assert body.notes == "hello"


def test_a_release_without_values_has_none() -> None:
    assert history.decode_release(encode({"name": "a", "version": 1, "config": None})).values == {}


@pytest.mark.parametrize(
    "data",
    [
        "%%%",
        base64.b64encode(b"not base64 again!").decode(),
        base64.b64encode(base64.b64encode(b"not gzip")).decode(),
        encode([1]),
        encode({"name": "a"}),
    ],
)
def test_what_helm_did_not_write_is_told(data: str) -> None:
    with pytest.raises(SelfhealError, match="does not hold what Helm writes"):
        history.decode_release(data)


def test_a_body_that_inflates_without_end_is_refused() -> None:
    bomb = encode({"name": "a", "version": 1, "manifest": "x" * (history.BODY_LIMIT_BYTES + 1)})
    with pytest.raises(SelfhealError, match="does not hold what Helm writes"):
        history.decode_release(bomb)
