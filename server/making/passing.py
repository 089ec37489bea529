"""News between processes; what is large goes through shared memory: a pipe would copy it piece by piece."""

import os
from dataclasses import replace
from multiprocessing import reduction
from multiprocessing.connection import Connection

from server.making.jobs import Done, News
from synthgen.shards.writer import Block

LARGE_BYTES = 256 * 1024


def send_news(connection: Connection, news: News) -> None:
    """Send news; a large block's bytes in memory of their own, whose descriptor follows."""
    if not (hasattr(os, "memfd_create") and isinstance(news, Done) and _is_large(news.made)):
        connection.send(news)
        return
    assert isinstance(news.made, Block)
    descriptor = os.memfd_create("synthgen")
    try:
        with open(descriptor, "wb", buffering=0, closefd=False) as memory:
            memory.write(news.made.data)
        connection.send(replace(news, made=replace(news.made, data=b""), apart=len(news.made.data)))
        reduction.send_handle(connection, descriptor, 0)
    finally:
        os.close(descriptor)


def receive_news(connection: Connection) -> News:
    """The next news, whole. Raises EOFError or OSError where nobody sends any more."""
    news: News = connection.recv()
    if not (isinstance(news, Done) and news.apart and isinstance(news.made, Block)):
        return news
    descriptor = reduction.recv_handle(connection)
    try:
        data = os.pread(descriptor, news.apart, 0)
    finally:
        os.close(descriptor)
    return replace(news, made=replace(news.made, data=data), apart=0)


def _is_large(made: object) -> bool:
    return isinstance(made, Block) and len(made.data) > LARGE_BYTES
