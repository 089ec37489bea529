"""A lean HTTP client for load tests: requests on kept connections, closed loops, and random arrivals."""

import asyncio
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import numpy as np

LINE = b"a-line-between-the-parts"
LIMIT = 64 * 1024 * 1024
BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


@dataclass(slots=True)
class Results:
    """What a load brought."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Seconds from when a request was due until it was answered, of the answers 200."""
    without_retry_after: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer, seconds: float) -> None:
        """Count an answer."""
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.latencies.append(seconds)
        elif b"retry-after" not in answer.headers:
            self.without_retry_after += 1

    @property
    def rate(self) -> float:
        """Answers 200 a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds in which that share of the answers 200 came."""
        ranked = sorted(self.latencies)
        return ranked[min(int(share * len(ranked)), len(ranked) - 1)] if ranked else float("nan")

    def told(self) -> str:
        """One line."""
        marks = "  ".join(
            f"p{100 * share:g} {self.percentile(share) * 1000:.0f}" for share in (0.5, 0.95, 0.99)
        )
        counts = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        failed = ", ".join(f"{count} x {name}" for name, count in self.failures.items()) or "none"
        return f"{self.rate:7.1f}/s  {marks} ms  ({counts}; failures: {failed})"


class Connections:
    """Kept connections to one port, as many as are needed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read its answer."""
        async with self._connection() as (reader, writer):
            writer.write(request)
            await writer.drain()
            return await _read(reader)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                break
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LIMIT)
        try:
            yield reader, writer
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))


async def closed_loop(
    connections: Connections, request: Callable[[int], bytes], clients: int, seconds: float
) -> Results:
    """Each client asks again as soon as it has its answer."""
    results = Results()
    numbers = iter(range(10**9))
    started = time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - started < seconds:
            asked = time.perf_counter()
            results.add(await connections.ask(request(next(numbers))), time.perf_counter() - asked)

    await asyncio.gather(*(client() for _ in range(clients)))
    results.seconds = time.perf_counter() - started
    return results


async def open_loop(
    connections: Connections, request: Callable[[int], bytes], rate: float, seconds: float
) -> Results:
    """Requests arrive at random (Poisson) at a mean rate, whether earlier ones are answered or not."""
    results = Results()
    gaps = np.random.default_rng(0).exponential(1 / rate, int(rate * seconds))
    started = time.perf_counter()
    asking: set[asyncio.Task[None]] = set()

    async def ask(number: int, due: float) -> None:
        try:
            answer = await connections.ask(request(number))
        except (OSError, EOFError) as error:
            results.failures[type(error).__name__] += 1
            return
        results.add(answer, time.perf_counter() - due)

    for number, due in enumerate(started + np.cumsum(gaps)):
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(ask(number, due))
        asking.add(task)
        task.add_done_callback(asking.discard)
    with suppress(TimeoutError):
        async with asyncio.timeout(120):
            await asyncio.gather(*asking)
    results.seconds = seconds
    return results


async def bulk_loop(port: int, request: Callable[[int], bytes], clients: int, seconds: float) -> Results:
    """As `closed_loop`, for large answers: their bytes are counted and dropped, which costs little."""
    results = Results()
    numbers = iter(range(10**9))
    started = time.perf_counter()

    def client() -> None:
        buffer = bytearray(BUFFER_BYTES)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while time.perf_counter() - started < seconds:
                asked = time.perf_counter()
                connection.sendall(request(next(numbers)))
                status = _drop(connection, buffer)
                results.add(Answer(status, {}, b""), time.perf_counter() - asked)

    await asyncio.gather(*(asyncio.to_thread(client) for _ in range(clients)))
    results.seconds = time.perf_counter() - started
    return results


def _drop(connection: socket.socket, buffer: bytearray) -> int:
    """Read an answer that tells its length; returns its status."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    head, _, body = head.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    assert length, head
    left = int(length[1]) - len(body)
    while left:
        left -= connection.recv_into(buffer, min(left, len(buffer)))
    return int(head.split()[1])


def form_request(image: bytes, accept: str, **fields: object) -> bytes:
    """POST /v1/anomalies with one image."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(b'name="images"; filename="image"\r\n\r\n' + image)
    body = b"".join(b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (LINE, part) for part in parts)
    body += b"--%s--\r\n" % LINE
    head = (
        f"POST /v1/anomalies HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n"
        f"Content-Type: multipart/form-data; boundary={LINE.decode()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get_request(path: str) -> bytes:
    """GET a path."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


async def _read(reader: asyncio.StreamReader) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    if b"content-length" in headers:
        body = await reader.readexactly(int(headers[b"content-length"]))
    else:
        body = b"".join([part async for part in _chunks(reader)])
    return Answer(int(first.split()[1]), headers, body)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
