"""`visit`: steady requests, and a word only when the answer changes."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from selfheal_service.main import main
from selfheal_service.visit import visit


class Moody(BaseHTTPRequestHandler):
    """Answers with the codes of its server, one after another, then stops the visitor."""

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, MoodyServer)
        self.send_response(server.codes.pop(0))
        self.send_header("content-length", "0")
        self.end_headers()
        if not server.codes:
            server.stopped.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class MoodyServer(ThreadingHTTPServer):
    def __init__(self, codes: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Moody)
        self.codes = codes
        self.stopped = threading.Event()


def test_counts_every_visit_and_tells_only_changes() -> None:
    said: list[str] = []
    with MoodyServer([200, 500, 500, 200, 200]) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        tally = visit(url, per_second=100, stopped=server.stopped, tell=said.append)
        server.shutdown()
        thread.join()

    assert (tally.sent, tally.failed) == (5, 2)
    assert said == [f"{url} answers 500 (visit 2, 1 failed)", f"{url} answers 200 (visit 4, 2 failed)"]


@pytest.mark.parametrize("url", ["app-a:8080", "ftp://app-a"])
def test_refuses_what_is_no_url(url: str) -> None:
    done = CliRunner().invoke(main, ["visit", url])

    assert done.exit_code == 2
    assert "is no http:// or https:// URL" in done.stderr
