"""The thread between screens and cluster: newest data, answers, streams, and an end without leftovers."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.console import server
from selfheal_cli.last_words import last_line
from selfheal_core.cluster.kubernetes.client import KubernetesClient
from selfheal_core.domain.snapshot import Snapshot
from selfheal_core.errors import BadUsage, ClusterUnreachable, SelfhealError
from selfheal_tui.bridge import Bridge
from selfheal_tui.cluster_feed import ClusterChoice, ClusterFeed
from selfheal_tui.log_reader import WAITING_LIMIT, read_logs
from selfheal_tui.mailbox import Mailbox
from selfheal_tui.present.logs import LogRequest, pods_to_read, read_line, readable, short_names

PODS = 120


def eventually(seen: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first thing that is seen; fails if nothing is in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = seen()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("not seen in time")


def kubeconfig(folder: Path, port: int) -> Path:
    path = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "paper", "context": {"cluster": "c", "user": "u", "namespace": "load"}}
    document = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {"token": "t"}}]}
    path.write_text(json.dumps({**document, "current-context": "paper"}))
    return path


def feed_of(path: Path | None, **more: Any) -> ClusterFeed:
    home = str(path.parent) if path else "/nonexistent"
    environ = {"HOME": home, "XDG_STATE_HOME": home}
    choice = {"kubeconfig": path, "context": None, "namespaces": None, "read_only": False, **more}
    return ClusterFeed(ClusterChoice(**choice), environ=environ)


def test_the_mailbox_keeps_the_newest_and_gives_it_once() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(1)
    box.put(2)
    assert box.take() == 2
    assert box.take() is None


@pytest.mark.slow
def test_a_cluster_is_followed_and_another_scope_begins_anew(tmp_path: Path) -> None:
    with server(PODS, 50.0) as port:
        feed = feed_of(kubeconfig(tmp_path, port))
        feed.start()
        try:
            assert feed.first_contact.result(10) == "v1.32.3"
            assert feed.surroundings.context == "paper"
            assert feed.surroundings.namespaces == ("load",)

            def full() -> Snapshot | None:
                shot = feed.take()
                return shot if shot is not None and len(shot.pods) == PODS else None

            first = eventually(full)
            later = eventually(lambda: (shot := feed.take()) is not None and shot.sequence > first.sequence and shot)
            assert later.pods != first.pods
            asyncio.run(feed.choose_namespaces(()))
            again = eventually(full)
            assert again.namespaces == ()
        finally:
            feed.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "feed"]
    assert feed.faults == 0


def test_a_cluster_that_refuses_is_told_at_first_contact(tmp_path: Path) -> None:
    feed = feed_of(kubeconfig(tmp_path, 9))
    feed.start()
    try:
        with pytest.raises(ClusterUnreachable, match="refused"):
            feed.first_contact.result(10)
    finally:
        feed.stop()


def test_an_unknown_context_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    feed = feed_of(kubeconfig(tmp_path, 9), context="papr")
    feed.start()
    with pytest.raises(BadUsage, match="paper"):
        feed.configured.result(10)
    feed.stop()


async def test_a_question_before_the_connection_is_answered_in_words() -> None:
    feed = feed_of(None)
    with pytest.raises(ClusterUnreachable, match="no connection"):
        await feed.known_namespaces()


class Loop:
    """A loop in another thread, as the feed has one."""

    def __init__(self) -> None:
        self.bridge = Bridge()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.bridge.open(self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


@pytest.fixture
def loop() -> Any:
    loop = Loop()
    yield loop
    loop.close()


async def test_a_stream_crosses_threads_in_order_and_brings_its_error(loop: Loop) -> None:
    async def count() -> AsyncGenerator[int, None]:
        for number in range(200):
            yield number
        raise SelfhealError("the end of the road")

    seen: list[int] = []

    async def listen() -> None:
        async for number in loop.bridge.stream(count):
            seen.append(number)

    with pytest.raises(SelfhealError, match="end of the road"):
        await listen()
    assert seen == list(range(200))


async def test_closing_a_stream_closes_its_source(loop: Loop) -> None:
    closed = threading.Event()

    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            closed.set()

    stream = loop.bridge.stream(endless)
    assert await anext(stream) == 1
    await stream.aclose()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_giving_up_a_question_cancels_it_where_it_runs(loop: Loop) -> None:
    cancelled = threading.Event()

    async def question() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await loop.bridge.ask(question)
    assert await asyncio.to_thread(cancelled.wait, 5)


class PaperLogs:
    """The two calls of the client that logs are read with."""

    def __init__(self, lines: dict[str, list[bytes]], previous: str = "") -> None:
        self._lines = lines
        self._previous = previous

    async def follow_logs(self, namespace: str, pod: str, container: str, **_: Any) -> AsyncIterator[bytes]:
        if pod not in self._lines:
            raise SelfhealError(f"no log of {pod}")
        for line in self._lines[pod]:
            yield line

    async def logs(self, namespace: str, pod: str, container: str, **_: Any) -> str:
        return self._previous


async def read(logs: PaperLogs, request: LogRequest) -> tuple[list[str], int, list[str]]:
    client: KubernetesClient = logs  # type: ignore[assignment]
    lines: list[str] = []
    dropped, notes = 0, []
    async for batch in read_logs(client, request, lambda _: "app"):
        lines += [line.text for line in batch.lines]
        dropped += batch.dropped
        notes.append(batch.note)
    return lines, dropped, notes


async def test_logs_of_many_pods_are_merged_by_time() -> None:
    logs = PaperLogs(
        {
            "a": [b"2026-11-26T16:44:38.1Z first", b"2026-11-26T16:44:40Z third"],
            "b": [b"2026-11-26T16:44:39Z second", b"2026-11-26T16:44:41Z fourth"],
        }
    )
    lines, dropped, _ = await read(logs, LogRequest("demo", ("a", "b")))
    assert lines == ["first", "second", "third", "fourth"]
    assert dropped == 0


async def test_lines_that_come_faster_than_they_are_read_are_counted_not_hidden() -> None:
    many = [b"2026-11-26T16:44:38Z %d" % number for number in range(WAITING_LIMIT + 10)]
    lines, dropped, _ = await read(PaperLogs({"a": many}), LogRequest("demo", ("a",)))
    assert len(lines) + dropped == len(many)
    assert dropped == 10


async def test_a_pod_whose_log_cannot_be_read_does_not_hide_the_others() -> None:
    logs = PaperLogs({"a": [b"2026-11-26T16:44:38Z here"]})
    lines, _, notes = await read(logs, LogRequest("demo", ("a", "gone")))
    assert lines == ["here"]
    assert any("no log of gone" in note for note in notes)


async def test_the_only_pods_error_is_raised() -> None:
    with pytest.raises(SelfhealError, match="no log of gone"):
        await read(PaperLogs({}), LogRequest("demo", ("gone",)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("starting\nKeyError: 'DB_URL'\n\n", "KeyError: 'DB_URL'"),
        ('{"event": "crash", "level": "error"}', "crash"),
        ('{"ts": 1, "event": "request", "route": "/pay", "status": 500}', "request route=/pay status=500"),
        ('{"event": "boom", "exception": "Traceback\\n  x\\nValueError: no"}', "ValueError: no"),
        ("{not json", "{not json"),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_last_words_are_what_a_person_would_quote(text: str, said: str) -> None:
    assert last_line(text) == said


def test_a_json_line_reads_as_words_and_anything_else_stays_as_it_is() -> None:
    fields = {"timestamp": "2026-11-26T16:44:38Z", "level": "error", "event": "crash", "pod": "a"}
    row = json.dumps({**fields, "exception": "Traceback\nKeyError"})
    assert readable(row) == "ERROR crash KeyError pod=a"
    for text in ("plain", "{not json", '{"a": 1}', "[1]", ""):
        assert readable(text) == text


def test_short_names_tell_pods_apart_and_previous_logs_come_from_those_that_restarted(shown: Snapshot) -> None:
    assert short_names(("app-a-7d9f-x2x9k", "app-a-7d9f-q8wzl")) == {
        "app-a-7d9f-x2x9k": "x2x9k",
        "app-a-7d9f-q8wzl": "q8wzl",
    }
    assert short_names(("only",)) == {}
    pods = [pod for pod in shown.pods.values() if pod.app.name == "app-a"]
    assert pods_to_read(pods, previous=True)[0].endswith("x2x9k")
    healthy = [pod for pod in shown.pods.values() if pod.app.name == "search"]
    assert pods_to_read(healthy, previous=True) == ()


def test_a_line_of_ten_million_characters_is_cut_at_once_and_says_so() -> None:
    began = time.process_time()
    entry = read_line("app-a", "2026-11-26T16:44:38Z " + "\x1b[31m" * 2_000_000)
    assert time.process_time() - began < 0.2
    assert len(entry.text) < 30_000
    assert entry.text.endswith("9,996,000 more characters left out")
    assert "\x1b" not in entry.text
