"""Messages between processes arrive whole, whatever their size."""

import multiprocessing
import os
from pathlib import Path

import pytest

import synthgen
from server.workers.jobs import Done, Encoded, Message, Ready, Timed
from server.workers.shared_memory import LARGE_BYTES, receive_message, send_message
from synthgen.pipeline.pipeline import Pipeline
from synthgen.shards.writer import Block, block
from tests.recipes import small_recipe


@pytest.mark.parametrize("size", [0, 1, LARGE_BYTES, LARGE_BYTES + 1, 5_000_001])
def test_a_block_arrives_as_it_was_sent(size: int) -> None:
    plan = synthgen.freeze(small_recipe())
    samples = list(Pipeline(plan).samples(range(2)))
    made = block(samples, plan.recipe.output)
    data = os.urandom(size)
    messages: list[Message] = [
        Ready(),
        Done(1, "a", Block(data, made.places, made.facts)),
        Done(2, "b", Encoded(data, ["{}"])),
        Timed(2, {"render": 0.5}),
    ]
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    before = len(list(Path("/proc/self/fd").iterdir()))
    sender = multiprocessing.get_context("fork").Process(target=_send_all, args=(theirs, messages))
    sender.start()
    assert [receive_message(ours) for _ in messages] == messages
    sender.join()
    sender.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def _send_all(connection: object, messages: list[Message]) -> None:
    for each in messages:
        send_message(connection, each)  # type: ignore[arg-type]
