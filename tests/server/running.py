"""A server for tests: the real application on uvicorn, on a free port of this machine."""

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from server.app import create_app
from server.serve import config_of
from server.service import Service
from server.settings import Settings

START_SECONDS = 60


@dataclass(frozen=True)
class Running:
    """A running server: its address, and the service inside."""

    url: str
    port: int
    service: Service
    server: uvicorn.Server
    thread: threading.Thread

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body."""
        return self.send(urllib.request.Request(self.url + path, headers=headers))

    def send(self, request: urllib.request.Request) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body, for any status."""
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, _lower(response.headers.items()), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers.items()), error.read()

    def stop(self) -> None:
        """Let it stop, and wait until it did."""
        self.server.should_exit = True
        self.thread.join(60)


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


@contextmanager
def running(settings: Settings) -> Iterator[Running]:
    """Start a server and stop it afterwards; it is ready when the block begins."""
    app = create_app(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = config_of(app, settings, None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    started = Running(f"http://127.0.0.1:{port}", port, app.state.service, server, thread)
    deadline = time.monotonic() + START_SECONDS
    while not started.service.is_ready:
        assert time.monotonic() < deadline and thread.is_alive(), "the server did not get ready"
        time.sleep(0.05)
    try:
        yield started
    finally:
        started.stop()


def small_settings(folder: Path, **more: object) -> Settings:
    """Settings with a cache and recipes of their own below a folder."""
    recipes = folder / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    for name, text in RECIPES.items():
        (recipes / f"{name}.yaml").write_text(text)
    return Settings(
        **{"recipes": recipes, "cache_dir": folder / "cache", "workers": 2, "device": "cpu", **more}
    )


RECIPES = {
    "patches": """
name: patches
seed: 3
count: 70
source: {kind: builtin, categories: [brick, coffee]}
size: [48, 64]
normal_share: 0.2
synthesizers: [{method: cutpaste}, {method: nsa}, {method: perlin-texture}]
output: {shard_size: 40}
""",
    "kept": """
name: kept
seed: 4
count: 20
source: {kind: builtin, categories: [grass]}
size: [32, 32]
synthesizers: [{method: scar, jitter: 0.5}]
output: {image_format: jpg, keep_normal: true, shard_size: 5}
""",
    "grown": """
name: grown
seed: 5
count: 6
source: {kind: builtin, categories: [brick]}
size: [64, 64]
synthesizers: [{method: sdas, view: exact, sampling: {steps: 4, batch: 2}, s: [0.5, 1.0], min_overlap: 0.0}]
judge:
  min_contrast: 2
output: {shard_size: 6}
""",
    "missing": """
name: missing
count: 5
source: {kind: folder, path: /nowhere/at/all}
size: [32, 32]
synthesizers: [{method: cutout}]
""",
}
"""Two shards and several methods, JPEG with normal images, diffusion, and one without images."""
