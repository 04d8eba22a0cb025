"""A few questions to a running sandbox, asked by the command line with the standard library alone."""

import http.client
import json
import re
import socket
import ssl
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlsplit

from selfheal_sandbox.state import Folder, ServerInfo

DEADLINE_SECONDS = 5.0
MOVED_BY = 10000
"""How far a Service port is moved when the user may not listen on it."""


class ClientError(Exception):
    """The sandbox did not answer, or not what was hoped for; the message says what."""


class NotFound(ClientError):  # noqa: N818 - the words people read are the names
    """There is no such object."""


class Conflict(ClientError):  # noqa: N818
    """There is such an object already."""


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one sandbox."""

    host: str
    port: int
    token: str
    authority: bytes

    @classmethod
    def of(cls, folder: Folder, info: ServerInfo) -> Self:
        """Return a client with the access that the sandbox's kubeconfig gives.

        Raises:
            ClientError: the kubeconfig cannot be read.
        """
        try:
            text = folder.kubeconfig.read_text()
        except OSError as error:
            raise ClientError(f"cannot read {folder.kubeconfig}: {error.strerror}") from None
        token = re.search(r"^\s*token: (\S+)$", text, re.MULTILINE)
        authority = re.search(r"^\s*certificate-authority-data: (\S+)$", text, re.MULTILINE)
        place = urlsplit(info.url)
        if token is None or authority is None or place.hostname is None or place.port is None:
            raise ClientError(f"{folder.kubeconfig} is not what the sandbox wrote")
        return cls(place.hostname, place.port, token[1], b64decode(authority[1]))

    def get(self, path: str) -> dict[str, Any]:
        """Return the object at a path of the API.

        Raises:
            ClientError: no answer, or a Status that says failure.
        """
        return self._ask("GET", path)

    def post(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return it as stored.

        Raises:
            ClientError: no answer, or a Status that says failure.
        """
        return self._ask("POST", path, json.dumps(obj))

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        context = ssl.create_default_context(cadata=self.authority.decode())
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=DEADLINE_SECONDS, context=context)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ClientError(f"{method} {path}: {error}") from None
        finally:
            connection.close()
        if response.status >= 400:
            kind = {404: NotFound, 409: Conflict}.get(response.status, ClientError)
            raise kind(str(answer.get("message") or f"{method} {path}: HTTP {response.status}"))
        return answer

    def counts(self) -> dict[str, int]:
        """Return how many nodes and pods there are, and how many of them are ready or running.

        Raises:
            ClientError: no answer.
        """
        nodes = self.get("/api/v1/nodes")["items"]
        pods = self.get("/api/v1/pods")["items"]
        return {
            "nodes": len(nodes),
            "nodesReady": sum(_is_ready(node) for node in nodes),
            "pods": len(pods),
            "podsRunning": sum(pod["status"].get("phase") == "Running" for pod in pods),
        }

    def service_url(self, namespace: str, name: str, port: str | None) -> str:
        """Return where this machine reaches a Service.

        Raises:
            ClientError: there is no such Service or port, or nothing listens there.
        """
        spec = self.get(f"/api/v1/namespaces/{quote(namespace, '')}/services/{quote(name, '')}")["spec"]
        address = spec.get("clusterIP") or "None"
        if address == "None":
            raise ClientError(f"service {name!r} has no address of its own (headless or ExternalName)")
        entry = _port(spec.get("ports") or [], port)
        if entry is None:
            known = ", ".join(str(one.get("name") or one["port"]) for one in spec.get("ports") or [])
            raise ClientError(f"service {name!r} has no port {port!r}; it has: {known or 'none'}")
        number = next((one for one in (entry["port"], entry["port"] + MOVED_BY) if _listens(address, one)), None)
        if number is None:
            raise ClientError(f"nothing listens for service {name!r}; see: kubectl describe -n {namespace} svc/{name}")
        scheme = "https" if "https" in (entry.get("appProtocol"), entry.get("name")) else "http"
        return f"{scheme}://{address}:{number}"


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _port(ports: list[dict[str, Any]], wanted: str | None) -> dict[str, Any] | None:
    if wanted is None:
        return ports[0] if ports else None
    return next((one for one in ports if wanted in (str(one["port"]), one.get("name"))), None)


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
