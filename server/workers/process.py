"""A worker process as the service sees it: batches go out, messages come in, and its death is one, too."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection

from server.workers.jobs import Batch, Job, Message
from server.workers.shared_memory import receive_message
from server.workers.worker import Limits, serve
from synthgen.plan.plan import Plan
from synthgen.runtime.processes import process_context

JOIN_SECONDS = 10
PRELOAD = ["server.workers.worker"]

OnMessage = Callable[["WorkerProcess", Message | None], None]
"""Is called in the event loop with every message of a worker, and with None when it is gone."""


class WorkerProcess:
    """One process, with a thread that writes to it and one that reads, so that the event loop never waits."""

    def __init__(self, limits: Limits, modules: list[str], on_message: OnMessage) -> None:
        self.batches: list[list[Job]] = []
        """The batches under way, in the order in which they will be done."""
        self.known: set[str] = set()
        """The names of the plans that it was sent."""
        self.is_ready = False
        self.is_ending = False
        """Whether it is being ended, and takes nothing more."""
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        context = process_context([*PRELOAD, *modules])
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, limits), daemon=True)
        self._process.start()
        theirs.close()
        self._writer = ThreadPoolExecutor(1)
        threading.Thread(target=self._read, args=(self._connection,), daemon=True).start()

    @property
    def jobs(self) -> list[Job]:
        """The jobs under way."""
        return [job for batch in self.batches for job in batch]

    def send(self, jobs: list[Job], plans: dict[str, Plan]) -> None:
        """Let the process do a batch."""
        self.batches.append(list(jobs))
        self.known |= plans.keys()
        self._writer.submit(self._write, Batch(tuple(jobs), plans))

    async def stop(self) -> None:
        """Let the process finish what it has, and end."""
        self._writer.submit(self._write, None)
        await asyncio.to_thread(self._process.join, JOIN_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self.is_ending = True
        self._process.kill()
        self._writer.shutdown(wait=False, cancel_futures=True)

    def _write(self, batch: Batch | None) -> None:
        with suppress(OSError):  # the reading thread reports its death
            self._connection.send(batch)

    def _read(self, connection: Connection) -> None:
        try:
            while True:
                self._pass_on(receive_message(connection))
        except (EOFError, OSError):
            self._pass_on(None)

    def _pass_on(self, message: Message | None) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody waits for it any more
            self._loop.call_soon_threadsafe(self._on_message, self, message)
