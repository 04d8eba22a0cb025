"""ASGI wrapper that asks clients to leave: every answer begun while the process drains says `Connection: close`."""

from selfheal_service.asgi import ASGIApplication, Message, Receive, Scope, Send
from selfheal_service.state import Phase, ServiceState


class CloseConnectionsWhileDraining:
    """Wraps an application.

    A client that has read `Connection: close` (RFC 9112, 9.6) sends nothing more on that connection, so closing it
    afterwards loses no request.
    """

    def __init__(self, application: ASGIApplication, state: ServiceState) -> None:
        self._application = application
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request through the wrapped application."""

        async def send_with_close(message: Message) -> None:
            if message["type"] == "http.response.start" and self._state.phase is Phase.DRAINING:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._application(scope, receive, send_with_close)
