"""News between processes; what is large goes through shared memory: a pipe would copy it piece by piece."""

import mmap
import os
from dataclasses import replace
from multiprocessing import reduction
from multiprocessing.connection import Connection

from server.workers.jobs import Done, News

LARGE_BYTES = 256 * 1024


def send_news(connection: Connection, news: News) -> None:
    """Send news; the bytes of large samples in memory of their own, whose descriptor follows."""
    if not (hasattr(os, "memfd_create") and isinstance(news, Done) and len(news.made.data) > LARGE_BYTES):
        connection.send(news)
        return
    descriptor = os.memfd_create("synthgen")
    try:
        with open(descriptor, "wb", buffering=0, closefd=False) as memory:
            memory.write(news.made.data)
        connection.send(replace(news, made=replace(news.made, data=b""), apart=len(news.made.data)))
        reduction.send_handle(connection, descriptor, 0)
    finally:
        os.close(descriptor)


def receive_news(connection: Connection) -> News:
    """The next news, whole. Raises EOFError or OSError where nobody sends any more.

    What is large gets pages of its own, which go back to the system with the last view of them: in the heap,
    blocks of many sizes that are freed in any order leave the process larger than what it holds.
    """
    news: News = connection.recv()
    if not (isinstance(news, Done) and news.apart):
        return news
    descriptor = reduction.recv_handle(connection)
    try:
        pages = mmap.mmap(-1, news.apart)
        os.preadv(descriptor, [pages], 0)
    finally:
        os.close(descriptor)
    return replace(news, made=replace(news.made, data=memoryview(pages)), apart=0)
