"""How processes start, end with the one that started them, and share the cores."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext

from synthgen.errors import InputError
from synthgen.runtime.stopping import ignore

LONGEST_SOCKET = 107
"""Bytes of a Unix socket's path, as the system bounds it."""
SOCKET_NAMES = len("/pymp-12345678/listener-12345678")
"""What multiprocessing adds to the folder for temporary files."""
SHORT_FOLDER = "/tmp"


def process_context(modules: Sequence[str]) -> ForkServerContext | SpawnContext:
    """How processes start: forked off a server that has imported, once, the modules that all of them need."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    give_sockets_room()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    _start_server()
    return context


def give_sockets_room() -> None:
    """See that processes can reach each other, by sockets in /tmp where those in TMPDIR had too long a name.

    Raises InputError where /tmp cannot be used.
    """
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) + SOCKET_NAMES <= LONGEST_SOCKET:
        return
    tempfile.tempdir = SHORT_FOLDER
    try:
        util.get_temp_dir()  # is asked once, and remembered by this process and those that it starts
    except OSError as error:
        raise InputError(
            f"TMPDIR={folder}: is too long for the sockets by which processes reach each other, and "
            f"{SHORT_FOLDER} cannot be used ({error.strerror}); set TMPDIR to a shorter path"
        ) from error
    finally:
        tempfile.tempdir = folder


def follow_parent() -> None:
    """Of a worker: leave signals to the parent, and end when the parent does, however that ends."""
    ignore()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _start_server() -> None:
    """Start the server deaf to Ctrl-C, which reaches the whole group: imports would answer by a traceback."""
    resource_tracker.ensure_running()  # first, because it ends by letting Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def one_thread() -> None:
    """Keep this process to one core: the processes share the cores, threads would fight over them."""
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MKL_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
