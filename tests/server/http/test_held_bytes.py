"""What requests hold in memory is counted and bounded, however slowly their responses are read."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

from server.settings import MIB
from server.workers.pool import BATCHES_AHEAD
from tests.server.http.hostile import anomaly_request
from tests.server.requests import CUTPASTE, form, picture
from tests.server.running import Running, running, small_settings

BOUND = 4 * MIB
JOBS = 2
PIECE = 2 * MIB
MANY = anomaly_request(picture(1), recipe={**CUTPASTE, "size": [128, 128]}, n="1000", seed="1")
"""Pieces of a little less than that, and more of them than all buffers on the way hold."""


def test_readers_that_take_nothing_hold_a_bounded_sum_and_then_nothing(tmp_path: Path) -> None:
    bounds = {"max_outstanding": JOBS, "max_outstanding_bytes": BOUND, "stall_seconds": 3.0}
    settings = small_settings(tmp_path, workers=1, **bounds)
    with running(settings) as server:
        pool = server.service.pools["paste"]
        good = form(server.url, [picture(1)], CUTPASTE, n=40, seed=3)
        expected = server.send(good)[2]
        await_that(lambda: pool.held_bytes == 0)
        readers = [reader(server)]
        while not pool.holds_enough:
            readers.append(reader(server))
            time.sleep(0.05)
        enough = time.monotonic()
        while time.monotonic() < enough + 1:
            readers.append(reader(server))
            time.sleep(0.05)
            assert pool.held_bytes < BOUND + JOBS * PIECE, pool.held_bytes / MIB
        status, headers, body = server.send(good)
        assert status == 429 and int(headers["retry-after"]) >= 1 and b"MiB are held" in body
        await_that(lambda: pool.held_bytes == 0)
        assert server.send(good)[2] == expected
        for each in readers:
            each.close()


def test_what_is_read_is_held_no_longer(server: Running) -> None:
    pool = server.service.pools["paste"]
    ahead = BATCHES_AHEAD * len(pool._workers)
    with reader(server) as connection:
        taken, most = 0, 0
        while taken < 40 * MIB and (some := connection.recv(PIECE)):
            taken += len(some)
            most = max(most, pool.held_bytes)
    assert taken >= 40 * MIB
    assert MIB < most < (ahead + 1) * PIECE
    for accept in ("application/json", "application/x-tar", "multipart/mixed"):
        assert server.send(form(server.url, [picture(1)], CUTPASTE, accept, n=100))[0] == 200
    with reader(server):
        await_that(lambda: pool.held_bytes > MIB)
    await_that(lambda: pool.held_bytes == 0 and pool.outstanding == 0)


def reader(server: Running) -> socket.socket:
    """A client that requests much and reads nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(MANY)
    return connection


def await_that(condition: Callable[[], bool]) -> None:
    """Wait until something is so, at most ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
