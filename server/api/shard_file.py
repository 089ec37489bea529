"""Shards as files: whole or a range, and kept in the cache while they are read."""

from http import HTTPStatus

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from server.api.responses import SLICE_BYTES, TAR
from server.http.problems import Problem
from server.shard_cache import Kept, ShardCache


class _ShardResponse(FileResponse):
    chunk_size = SLICE_BYTES

    def __init__(self, cache: ShardCache, kept: Kept, tag: str, name: str) -> None:
        headers = {"ETag": tag, "X-Content-SHA256": kept.sha256, "Cache-Control": "no-cache"}
        super().__init__(kept.path, headers=headers, media_type=TAR, filename=name)
        self._cache, self._kept = cache, kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        problem: Problem | None = None

        async def send_unless_refused(message: Message) -> None:
            nonlocal problem
            if message["type"] == "http.response.start" and message["status"] >= 400:
                headers = {"Content-Range": f"bytes */{self._kept.bytes}"}
                detail = f"the Range header names no part of the {self._kept.bytes} bytes of the shard"
                problem = Problem(HTTPStatus(message["status"]), detail, headers=headers)
            if not problem:
                await send(message)

        with self._cache.reading(self._kept):
            await super().__call__(scope, receive, send_unless_refused)
        if problem:
            await problem.response()(scope, receive, send)


def shard_response(cache: ShardCache, kept: Kept, tag: str, name: str) -> FileResponse:
    """A kept shard as the response to GET and HEAD, with Range, If-Range, Content-Length and ETag."""
    return _ShardResponse(cache, kept, tag, name)
