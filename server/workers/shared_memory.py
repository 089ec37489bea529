"""Messages between processes; large ones go through shared memory: a pipe would copy them piece by piece."""

import mmap
import os
from dataclasses import replace
from multiprocessing import reduction
from multiprocessing.connection import Connection

from server.workers.jobs import Done, Message

LARGE_BYTES = 256 * 1024


def send_message(connection: Connection, message: Message) -> None:
    """Send a message; the bytes of large samples in memory of their own, whose descriptor follows."""
    if not (
        hasattr(os, "memfd_create") and isinstance(message, Done) and len(message.made.data) > LARGE_BYTES
    ):
        connection.send(message)
        return
    descriptor = os.memfd_create("synthgen")
    try:
        with open(descriptor, "wb", buffering=0, closefd=False) as memory:
            memory.write(message.made.data)
        connection.send(replace(message, made=replace(message.made, data=b""), apart=len(message.made.data)))
        reduction.send_handle(connection, descriptor, 0)
    finally:
        os.close(descriptor)


def receive_message(connection: Connection) -> Message:
    """The next message, whole. Raises EOFError or OSError where nobody sends any more.

    What is large gets pages of its own, which go back to the system with the last view of them: in the heap,
    blocks of many sizes that are freed in any order leave the process larger than what it holds.
    """
    message: Message = connection.recv()
    if not (isinstance(message, Done) and message.apart):
        return message
    descriptor = reduction.recv_handle(connection)
    try:
        pages = mmap.mmap(-1, message.apart)
        os.preadv(descriptor, [pages], 0)
    finally:
        os.close(descriptor)
    return replace(message, made=replace(message.made, data=memoryview(pages)), apart=0)
