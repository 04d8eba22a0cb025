"""Credentials from plugins and identity providers, through ``kubernetes.aio``.

Import this module only where a kubeconfig asks for it: ``kubernetes.aio.config`` costs 0.4 s to import, as much as
everything else that the first screen needs, and a plain token or certificate needs none of it.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.exec_provider import ExecProvider
from kubernetes.aio.config.kube_config import ConfigNode, KubeConfigLoader, load_kube_config

from selfheal_core.cluster.kubernetes.api_errors import Unreachable, one_line
from selfheal_core.cluster.kubernetes.credentials import Issued, bearer
from selfheal_core.cluster.kubernetes.kubeconfig import Selection
from selfheal_core.cluster.process import Finished, run_program
from selfheal_core.errors import BadUsage, SelfhealError

PLUGIN_DEADLINE_SECONDS = 60.0
PROVIDER_DEADLINE_SECONDS = 30.0
PROVIDER_RECHECK_SECONDS = 60.0
OUTPUT_LIMIT_BYTES = 2**20


class BoundedExecProvider(ExecProvider):
    """The library's exec plugin with its process handling repaired.

    The library gives the plugin our terminal to read, waits for it without limit, and leaves it running when
    cancelled. Here it reads nothing, ends within a minute, and its whole process group ends with it.
    """

    async def run(self, previous_response: object = None) -> dict[str, Any]:  # noqa: ARG002 - the library's signature
        """Run the plugin.

        Returns:
            ``status`` of its ExecCredential.

        Raises:
            ConfigException: It failed, or answered something else.
            SelfhealError: It can't be started, or took too long.
        """
        finished = await run_program(
            self.args,
            environ=self.env,
            deadline_seconds=PLUGIN_DEADLINE_SECONDS,
            output_limit_bytes=OUTPUT_LIMIT_BYTES,
            grace_seconds=2,
        )
        return self._status(finished)

    def _status(self, finished: Finished) -> dict[str, Any]:
        if finished.exit_code != 0:
            said = one_line(finished.stderr.decode(errors="replace"))
            raise ConfigException(f"it ended with {finished.exit_code}" + (f": {said}" if said else ""))
        try:
            answer = json.loads(finished.stdout)
        except ValueError as error:
            raise ConfigException("its answer is not JSON") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("status"), dict):
            raise ConfigException("its answer is no ExecCredential with a status")
        if answer.get("apiVersion") != self.api_version:
            raise ConfigException(f"it answered {answer.get('apiVersion')}, not {self.api_version}")
        status: dict[str, Any] = answer["status"]
        return status


class ExecPlugin:
    """Runs the exec plugin of a kubeconfig user.

    Attributes:
        certificate: (certificate, key) as PEM once the plugin gave one instead of a token.
    """

    def __init__(self, selection: Selection, environ: Mapping[str, str]) -> None:
        self.certificate: tuple[bytes, bytes] | None = None
        self._settings: dict[str, Any] = selection.user.values["exec"]
        self._selection = selection
        self._environ = environ

    async def issue(self) -> Issued:
        """Ask the plugin for a credential.

        Raises:
            Unreachable: It gave none; its own words are in the message.
        """
        command = str(self._settings.get("command", ""))
        try:
            status = await self._provider(command).run()
            return self._read(status)
        except (ConfigException, SelfhealError, ValueError, KeyError) as error:
            hint = one_line(str(self._settings.get("installHint") or "")) or "kubectl get namespaces shows more"
            user = self._selection.user.name
            reason = error.what if isinstance(error, SelfhealError) else error
            raise Unreachable(f"credential plugin '{command}' of user '{user}' failed: {reason}", hint) from error

    def _provider(self, command: str) -> BoundedExecProvider:
        if self._settings.get("interactiveMode") == "Always":
            raise BadUsage("it wants to ask questions on the terminal (interactiveMode: Always)")
        settings = dict(self._settings)
        if "/" in command:
            settings["command"] = str(self._selection.user.folder / Path(command).expanduser())
        provider = BoundedExecProvider(ConfigNode("exec", settings))  # type: ignore[no-untyped-call]
        # The library starts from this process' environment; what we were given counts.
        asked = {str(item["name"]): str(item["value"]) for item in settings.get("env") or ()}
        provider.env = {**self._environ, **asked, "KUBERNETES_EXEC_INFO": json.dumps(self._information())}
        return provider

    def _information(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": False}
        if self._settings.get("provideClusterInfo"):
            keys = ("server", "certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name", "proxy-url")
            cluster = self._selection.cluster.values
            spec["cluster"] = {key: cluster[key] for key in keys if key in cluster}
        return {"apiVersion": self._settings.get("apiVersion"), "kind": "ExecCredential", "spec": spec}

    def _read(self, status: Mapping[str, Any]) -> Issued:
        ends = status.get("expirationTimestamp")
        expires_at = datetime.fromisoformat(str(ends)).timestamp() if ends else None
        if status.get("clientCertificateData"):
            self.certificate = (str(status["clientCertificateData"]).encode(), str(status["clientKeyData"]).encode())
        if status.get("token"):
            return Issued(bearer(str(status["token"])), expires_at)
        if self.certificate is None:
            raise ConfigException("its answer holds neither a token nor a certificate")
        return Issued({}, expires_at)


class AuthProvider:
    """The older ``auth-provider`` form (OpenID Connect, gcp), as the library implements it.

    Refreshed tokens live in memory; the kubeconfig is not rewritten.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._loader: KubeConfigLoader | None = None
        self._configuration = Configuration()

    async def issue(self) -> Issued:
        """Give a token, refreshed where it has expired.

        Raises:
            Unreachable: The provider gave none.
        """
        try:
            async with asyncio.timeout(PROVIDER_DEADLINE_SECONDS):
                await self._load()
        # The library lets whatever its providers raise through, from KeyError to errors of google.auth.
        except Exception as error:
            raise Unreachable(self._words(error), "log in again with the provider's own command") from error
        token = str(self._configuration.api_key.get("BearerToken", ""))
        if not token:
            raise Unreachable(self._words("it gave no token"), "log in again with the provider's own command")
        return Issued({"Authorization": token}, time.time() + 2 * PROVIDER_RECHECK_SECONDS)

    async def _load(self) -> None:
        if self._loader is not None:
            await self._loader.load_and_set(self._configuration)  # type: ignore[no-untyped-call]
            return
        self._loader = await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=":".join(str(file) for file in self._selection.files),
            context=self._selection.context,
            client_configuration=self._configuration,
            persist_config=False,
        )

    def _words(self, reason: object) -> str:
        provider = self._selection.user.values["auth-provider"].get("name", "")
        return f"auth provider '{provider}' of user '{self._selection.user.name}' failed: {one_line(str(reason))}"
