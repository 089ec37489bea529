"""Tasks side by side on this machine: each process takes one at a time, and keeps to one core."""

from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from synthgen.engines.processes import STOP_SECONDS, cause_of_death, end
from synthgen.engines.worker import Failure, send, working
from synthgen.errors import TransientError
from synthgen.runtime.processes import process_context
from synthgen.runtime.stopping import postponed

T = TypeVar("T")


def run_tasks(perform: Callable[[T], None], tasks: Sequence[T], workers: int) -> Generator[T]:
    """Perform tasks in ``workers`` processes, in any order, and yield each when it is done.

    ``perform`` is a function of a module, and what it makes it leaves in files. Closing the iterator stops
    the work; no process outlives it. Raises what a task raises, and TransientError where a process dies.
    """
    waiting = list(reversed(tasks))
    context = process_context([__name__, perform.__module__])
    processes: dict[Connection, BaseProcess] = {}
    doing: dict[Connection, T] = {}
    try:
        for _ in range(min(workers, len(waiting))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, perform), daemon=True)
            processes[ours] = process  # before it starts: a stop in between must find it
            process.start()
            theirs.close()
        for connection in processes:
            _give(connection, waiting, doing)
        while processes:
            for ready in wait(list(processes)):
                assert isinstance(ready, Connection)
                try:
                    answer = ready.recv()
                except (EOFError, ConnectionResetError):
                    raise TransientError(cause_of_death(processes.pop(ready))) from None
                if isinstance(answer, Failure):
                    raise answer.error_type(answer.message)
                done = doing.pop(ready)
                if not _give(ready, waiting, doing):
                    processes.pop(ready).join(STOP_SECONDS)
                yield done
    finally:
        with postponed():
            end(processes.values())


def _give(connection: Connection, waiting: list[T], doing: dict[Connection, T]) -> bool:
    """Hand out the next task; None, and the worker ends, where there is none left."""
    task = waiting.pop() if waiting else None
    connection.send(task)
    if task is not None:
        doing[connection] = task
    return task is not None


def _work(connection: Connection, perform: Callable[[Any], None]) -> None:
    with working(connection):
        while (task := connection.recv()) is not None:
            perform(task)
            send(connection, True)
