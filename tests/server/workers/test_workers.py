"""The processes behind the service: one that dies or hangs is replaced, and only what it had fails."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.server.requests import CUTPASTE, form, picture
from tests.server.running import Running, running, small_settings

ENDLESS = {
    "synthesizers": [{"method": "sdas-image", "sampling": {"steps": 250, "batch": 16}}],
    "size": [64, 64],
}


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with running(small_settings(tmp_path, workers=1)) as server, ThreadPoolExecutor(1) as threads:
        endless = threads.submit(
            server.send, form(server.url, [picture(1)], ENDLESS, category="coffee", seed=1)
        )
        os.kill(busy_process(server), signal.SIGKILL)
        status, headers, body = endless.result()
        assert status == 503 and "retry-after" in headers and b"lost" in body
        short = {**ENDLESS, "synthesizers": [{"method": "sdas-image", "sampling": {"steps": 2, "batch": 2}}]}
        assert server.send(form(server.url, [picture(1)], short, category="coffee"))[0] == 200
        metrics = server.get("/metrics")[2].decode()
        assert 'synthgen_workers_lost_total{lane="diffusion"} 1.0' in metrics
        assert server.service.is_ready


def test_what_takes_too_long_ends_and_so_does_its_process(tmp_path: Path) -> None:
    with running(small_settings(tmp_path, workers=1, request_seconds=3.0)) as server:
        pool = server.service.pools["diffusion"]
        [worker] = pool._workers
        status, headers, body = server.send(form(server.url, [picture(1)], ENDLESS, category="coffee"))
        assert status == 503 and "retry-after" in headers and b"more than 3 seconds" in body
        deadline = time.monotonic() + 10
        while worker in pool._workers or not server.service.is_ready:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert server.send(form(server.url, [picture(1)], CUTPASTE))[0] == 200


def test_of_jobs_made_together_only_the_one_to_blame_fails(server: Running) -> None:
    """Bad images among good ones, at the same time."""
    good = form(server.url, [picture(1)], CUTPASTE, seed=1)
    bad = form(server.url, [picture(2)[:200]], CUTPASTE, seed=1)
    expected = server.send(good)[2]
    with ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(server.send, [good, bad] * 12))
    for number, (status, _, body) in enumerate(responses):
        if number % 2:
            assert status == 422 and json.loads(body)["errors"][0]["field"] == "images.0"
        else:
            assert status == 200 and body == expected


def busy_process(server: Running) -> int:
    """The process that has a diffusion job."""
    pool = server.service.pools["diffusion"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for worker in pool._workers:
            if worker.jobs:
                assert worker._process.pid
                return worker._process.pid
        time.sleep(0.01)
    raise AssertionError("no worker got the job")
