"""The older ``auth-provider`` form of a kubeconfig, through the ``kubernetes`` package."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfheal_core.cluster.kubernetes.api_errors import Unreachable
from selfheal_core.cluster.kubernetes.configuration import connect
from tests.faults import behaviours
from tests.faults.server import FaultServer

# The library reads times in a way that Python 3.12 and later warn of.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def token(expires_in_seconds: float) -> str:
    """An id token; nobody here checks its signature."""
    parts = ({"alg": "none"}, {"exp": int(time.time() + expires_in_seconds)}, {"s": 1})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def kubeconfig(folder: Path, **config: Any) -> Path:
    provider = {"name": "oidc", "config": {"client-id": "c", "client-secret": "s", **config}}
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"auth-provider": provider}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


async def headers(file: Path) -> dict[str, str]:
    connection = await connect(kubeconfig=file, environ={})
    try:
        return await connection.headers()
    finally:
        await connection.close()


async def test_gives_a_token_that_is_still_good(tmp_path: Path) -> None:
    current = token(3600)
    assert await headers(kubeconfig(tmp_path, **{"id-token": current})) == {"Authorization": f"Bearer {current}"}


async def test_refreshes_a_token_that_has_expired(tmp_path: Path, server: FaultServer) -> None:
    fresh = token(3600)
    endpoint = {"token_endpoint": f"{server.url}/token"}
    server.script("GET", "/.well-known/openid-configuration", behaviours.json_body(endpoint))
    server.script("POST", "/token", behaviours.json_body({"id_token": fresh, "refresh_token": "next"}))
    config = {"id-token": token(-60), "refresh-token": "first", "idp-issuer-url": server.url}
    file = kubeconfig(tmp_path, **config)
    before = file.read_bytes()
    assert await headers(file) == {"Authorization": f"Bearer {fresh}"}
    assert file.read_bytes() == before


async def test_a_provider_that_gives_nothing_is_told_without_its_secrets(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, **{"id-token": token(-60), "client-secret": "hunter2"})
    with pytest.raises(Unreachable, match="auth provider 'oidc' of user 'u' failed: ") as caught:
        await headers(file)
    assert "hunter2" not in str(caught.value)
    assert "refresh" in str(caught.value)
