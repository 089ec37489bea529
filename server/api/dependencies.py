"""What routes are given: the service, its shards, and the client."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request

from server.http.problems import CLIENT_LEFT, Problem
from server.service import Service
from server.virtual_shards import Shards

T = TypeVar("T")


# Not awaiting anything, and yet coroutines: FastAPI would send plain functions to a thread each time.
async def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


async def _shards(request: Request) -> Shards:
    return cast(Shards, request.app.state.shards)


async def _client(request: Request) -> str:
    return request.client.host if request.client else ""


TheService = Annotated[Service, Depends(_service)]
TheShards = Annotated[Shards, Depends(_shards)]
Client = Annotated[str, Depends(_client)]


async def unless_client_leaves(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await some work, and cancel it when the client goes; the request's body must have been read."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Problem(CLIENT_LEFT, "the client left")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
