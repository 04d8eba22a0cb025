"""A client that costs little beside what it measures: requests over kept connections, each answer counted once."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

ANSWER_SECONDS = 10.0


@dataclass(slots=True)
class Count:
    """Requests that were answered, and how many of them with a failure of the server's."""

    sent: int = 0
    failed: int = 0


async def send(url: str, requests: int, *, per_second: float) -> Count:
    """Send so many requests at a steady rate over one connection; a late one is not made up for by a burst."""
    place = urlsplit(url)
    assert place.hostname is not None
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    request = f"GET / HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    count, due = Count(), loop.time()
    try:
        for _ in range(requests):
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = max(due + 1 / per_second, loop.time() - 0.5)
            writer.write(request)
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await _status(reader)
            count.sent += 1
            count.failed += status >= 500
    finally:
        writer.close()
    return count


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return int(head.split(" ", 2)[1])
