"""The sandbox as a whole: every part made, put together, started and ended."""

import os
import secrets
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from selfheal_sandbox import access, private_file, users
from selfheal_sandbox.api.objects import SERVICE_ACCOUNTS, Objects
from selfheal_sandbox.api.server import application, runner
from selfheal_sandbox.controllers import run as controllers
from selfheal_sandbox.controllers.node_status import node_names
from selfheal_sandbox.kinds.registry import Registry
from selfheal_sandbox.kubelet.kubelet import Kubelet
from selfheal_sandbox.kubelet.runtime import KubeletOptions
from selfheal_sandbox.monitoring.prometheus import Monitoring, MonitoringOptions
from selfheal_sandbox.network.addresses import LoopbackRange
from selfheal_sandbox.network.proxy import Network
from selfheal_sandbox.options import Options
from selfheal_sandbox.reboot import after_reboot
from selfheal_sandbox.snapshots import SnapshotWriter, load
from selfheal_sandbox.state import Claim, ServerInfo
from selfheal_sandbox.store.objects import now_rfc3339, uid_of
from selfheal_sandbox.store.snapshot import Snapshot
from selfheal_sandbox.store.store import Store

CLOSE_SECONDS = 1.0
"""How long open requests (watches, mostly) may go on when the server ends."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """A running sandbox; use it as an async context manager.

    Attributes:
        url: where the API is served.
        token: the administrator's token.
        kubeconfig: path of the kubeconfig.
        objects: the verbs on its objects, for use in the same process.
        kubelet: runs the pods.
        network: serves the Services.
    """

    objects: Objects
    kubelet: Kubelet
    network: Network
    url: str

    def __init__(self, options: Options) -> None:
        self.options = options
        self.kubeconfig = options.folder.kubeconfig
        made = users.TokenFile(users.UserFiles.of(options.folder))
        self._tokens = access.Tokens(self._account_uid, made.authenticate)
        self._stack = AsyncExitStack()
        self._restored = ""

    @property
    def token(self) -> str:
        """The administrator's token."""
        return self._tokens.admin

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            StateError: a sandbox of this name runs, or its snapshot cannot be read.
            RangeError: no loopback addresses can be had.
            OSError: the request log cannot be opened.
        """
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything: the server first, then, once the snapshot is written, the pods, at last the files."""
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        claim = self.options.folder.claim()
        stack.callback(claim.release)
        snapshot = None if self.options.fresh else load(claim.folder.snapshot, claim.folder.name)
        addresses = stack.enter_context(LoopbackRange.claim())
        listener = stack.enter_context(socket.create_server((access.HOST, 0), backlog=512))
        self.url = f"https://{access.HOST}:{listener.getsockname()[1]}"
        certificates = access.new_certificates()
        self.network = Network(addresses)
        self.objects = Objects(self._store(snapshot, addresses), Registry(), _utc_now, addresses=self.network)
        self.kubelet = await stack.enter_async_context(self._new_kubelet(certificates, listener))
        if self.options.run_controllers:
            await stack.enter_async_context(self._start_controllers(certificates))
        network = str(addresses.network)
        writer = SnapshotWriter(self.objects.store, claim.folder.snapshot, _utc_now, network)
        await stack.enter_async_context(writer)  # ends before the kubelet does, while the pods still run
        await self._start_monitoring(stack)
        await self._serve(stack, certificates, listener)
        self._tell(claim, certificates)

    def _store(self, snapshot: Snapshot | None, addresses: LoopbackRange) -> Store:
        """Return the store to start with: empty, or as the snapshot tells."""
        store = Store()
        if snapshot is not None:
            nodes = node_names(self.options.nodes) if self.options.run_controllers else []
            start = after_reboot(snapshot, _utc_now(), addresses.network, nodes)
            store.restore(start.revision, start.objects)
            self._restored = snapshot.written
        return store

    def _new_kubelet(self, certificates: access.Certificates, listener: socket.socket) -> Kubelet:
        options = KubeletOptions(
            sandbox_id=secrets.token_hex(8),
            folder=self.options.folder.pods,
            api_address=listener.getsockname(),
            ca_certificate=certificates.authority,
            token_for=self._tokens.for_account,
            listening_port=self.network.listening_port,
            images=self.options.images,
            speed=self.options.speed,
        )
        return Kubelet(self.objects, self.network, options)

    def _start_controllers(self, certificates: access.Certificates) -> controllers.Controllers:
        return controllers.start(
            self.objects,
            self.kubelet,
            self.network,
            speed=self.options.speed,
            nodes=self.options.nodes,
            root_certificate=certificates.authority.decode(),
        )

    async def _start_monitoring(self, stack: AsyncExitStack) -> None:
        """Run Prometheus where one was asked for and pods run that it can scrape."""
        program = self.options.prometheus
        if program is None or not self.options.run_controllers:
            return
        address = self.network.allocate_pod_ip()
        options = MonitoringOptions(program, self.options.folder.prometheus, address, self.options.speed)
        await stack.enter_async_context(Monitoring(self.objects, self.kubelet.watchdog, options))

    async def _serve(self, stack: AsyncExitStack, certificates: access.Certificates, listener: socket.socket) -> None:
        app = application(
            self.objects,
            self.kubelet,
            self.network,
            authenticate=self._tokens.authenticate,
            issue_token=self._tokens.issue,
            request_log=self.options.request_log,
        )
        running = runner(app, shutdown_seconds=CLOSE_SECONDS)
        stack.push_async_callback(running.cleanup)
        await running.setup()
        await web.SockSite(running, listener, ssl_context=access.server_context(certificates)).start()

    def _tell(self, claim: Claim, certificates: access.Certificates) -> None:
        """Write the kubeconfig and, at last, the file that says that the sandbox is ready."""
        folder = claim.folder
        text = access.kubeconfig(access.context_name(folder.name), self.url, certificates.authority, self.token)
        users.refresh(folder, self.url, certificates.authority)
        private_file.write(folder.kubeconfig, text)
        private_file.write(folder.server_info, self.info().to_json())

    def _account_uid(self, namespace: str, name: str) -> str:
        """Return the uid of a service account, "" if there is none."""
        account = self.objects.store.get(SERVICE_ACCOUNTS, namespace, name)
        return uid_of(account) if account is not None else ""

    def info(self) -> ServerInfo:
        """Return what the sandbox tells about itself."""
        options = self.options
        return ServerInfo(
            name=options.folder.name,
            pid=os.getpid(),
            url=self.url,
            speed=options.speed,
            nodes=options.nodes if options.run_controllers else 0,
            started=now_rfc3339(_utc_now()),
            restored=self._restored,
        )
