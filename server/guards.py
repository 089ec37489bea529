"""What every request passes before a route sees it: the key, and bounds of bytes and time."""

import asyncio
import base64
import binascii
import secrets
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.problems import Problem
from synthgen.errors import InputError

MIN_KEY_LENGTH = 8
CLOSE = {"Connection": "close"}
"""Goes with a refusal in the middle of a body, the rest of which nobody wants."""


def read_key(path: Path | None) -> str | None:
    """The key that every request must bring. Raises InputError where the file holds none."""
    if path is None:
        return None
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--api-key-file {path}: cannot be read ({error}); expected a line of ASCII"
        ) from error
    if len(key) < MIN_KEY_LENGTH or len(key.split()) != 1:
        raise InputError(
            f"--api-key-file {path}: expected one key of {MIN_KEY_LENGTH} or more characters without spaces"
        )
    return key


class KeyGuard:
    """Refuses every request without the key: as a bearer token, as X-API-Key, or as a password (Basic)."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 401."""
        if scope["type"] == "http" and not self._brings_key(Headers(scope=scope)):
            problem = Problem(
                HTTPStatus.UNAUTHORIZED,
                "a key is needed: 'Authorization: Bearer KEY', 'X-API-Key: KEY', or as the password (Basic)",
                headers={"WWW-Authenticate": 'Basic realm="synthgen", charset="UTF-8", Bearer'},
            )
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _brings_key(self, headers: Headers) -> bool:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        offered = headers.get("x-api-key", "")
        if scheme.lower() == "bearer":
            offered = credentials.strip()
        elif scheme.lower() == "basic":
            offered = _password(credentials.strip())
        return secrets.compare_digest(offered.encode(), self._key)


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


class BodyGuard:
    """Ends requests that bring too much or take too long, and answers that nobody reads."""

    def __init__(self, app: ASGIApp, max_bytes: int, upload_seconds: float, stall_seconds: float) -> None:
        self._app, self._max_bytes = app, max_bytes
        self._upload_seconds, self._stall_seconds = upload_seconds, stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request with its body bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_bytes:
            await self._too_large().response()(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._upload_seconds
        taken = 0
        has_all = False

        async def bounded_receive() -> Message:
            nonlocal taken, has_all
            if has_all:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Problem(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"the request took over {self._upload_seconds:g} seconds to arrive; send less, or faster",
                    headers=CLOSE,
                ) from None
            taken += len(message.get("body", b""))
            has_all = not message.get("more_body", False)
            if taken > self._max_bytes:
                raise self._too_large()
            return message

        async def patient_send(message: Message) -> None:
            # A reader that takes nothing for so long has left, or means ill: its connection is closed.
            async with asyncio.timeout(self._stall_seconds):
                await send(message)

        await self._app(scope, bounded_receive, patient_send)

    def _too_large(self) -> Problem:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a request has at most {self._max_bytes} bytes; send fewer or smaller images",
            headers=CLOSE,
        )
