"""What every request passes before a route sees it: the key, and bounds of bytes and time."""

import asyncio
import base64
import secrets
from collections.abc import Callable, Collection
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.problems import Problem
from synthgen.errors import InputError

MIN_KEY_LENGTH = 8
MAX_DIGITS = 20
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


class KeyMiddleware:
    """Refuses requests without the key: as a bearer token, as X-API-Key, or as a password (Basic).

    Some paths may be read without it: a path that ends in "/" with all that lies below it.
    """

    def __init__(self, app: ASGIApp, key: str, open_paths: Collection[str]) -> None:
        self._app, self._key, self._open_paths = app, key.encode(), open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or respond with 401."""
        if scope["type"] == "http" and not self._may_pass(scope):
            problem = Problem(
                HTTPStatus.UNAUTHORIZED,
                "the key is missing or wrong; expected 'Authorization: Bearer KEY', 'X-API-Key: KEY', or "
                "it as the password (Basic)",
                # Alone: Chromium asks for no password where another scheme stands in the same line.
                headers={"WWW-Authenticate": 'Basic realm="synthgen", charset="UTF-8"'},
            )
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path: str = scope["path"]
        is_open = any(
            path.startswith(each) if each.endswith("/") else path == each for each in self._open_paths
        )
        is_read = scope["method"] in ("GET", "HEAD")
        return (is_open and is_read) or self._brings_key(Headers(scope=scope))

    def _brings_key(self, headers: Headers) -> bool:
        offered = headers.getlist("x-api-key")
        for header in headers.getlist("authorization"):
            scheme, _, credentials = header.partition(" ")
            if scheme.lower() == "bearer":
                offered.append(credentials.strip())
            elif scheme.lower() == "basic":
                offered.append(_password(credentials.strip()))
        return any(secrets.compare_digest(each.encode(), self._key) for each in offered)


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")[2]
    except ValueError:  # no Base64, or no UTF-8
        return ""


class OriginMiddleware:
    """Refuses what a page of another origin makes a visitor's browser send.

    Browsers say where a request comes from (Fetch Metadata; RFC 6454 for those that do not), and other
    programs say nothing of it. A page may also let its own name lead to this machine (DNS rebinding), and is
    then of the same origin: where there is no key, which that page would not have, only names are served
    that nobody can own on the Internet.
    """

    def __init__(self, app: ASGIApp, host: str, *, has_key: bool) -> None:
        self._app, self._host, self._has_key = app, host.lower(), has_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or respond with 403 or 421."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._has_key and not self._is_own(_host_name(headers.get("host", ""))):
            problem = Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"without a key this server responds at IP addresses, localhost and names without dots, and "
                f"not at {headers['host'][:100]!r}; start it with --host of that name, or --api-key-file",
            )
        elif _comes_from_elsewhere(scope["method"], headers):
            problem = Problem(HTTPStatus.FORBIDDEN, "a page of another origin may not use this server")
        else:
            await self._app(scope, receive, send)
            return
        await problem.response()(scope, receive, send)

    def _is_own(self, name: str) -> bool:
        # A name without dots is given by this network and not by the public DNS.
        if "." not in name or name in (self._host, f"{self._host}."):
            return True
        return name.rstrip(".").endswith(".localhost") or _is_address(name)


def _host_name(authority: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = authority.lower().rpartition(":")
    return (name if colon and "]" not in port else authority.lower()).strip("[]")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _comes_from_elsewhere(method: str, headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site:
        # A link to the page is no use of it.
        is_link = method == "GET" and headers.get("sec-fetch-dest") == "document"
        return site not in ("same-origin", "none") and not is_link
    if origin := headers.get("origin"):
        return origin.partition("://")[2].lower() != headers.get("host", "").lower()
    return False


class CapacityMiddleware:
    """Refuses requests for anomalies while everything is full, before they cost more than their headers."""

    def __init__(self, app: ASGIApp, path: str, require_capacity: Callable[[], None]) -> None:
        self._app, self._path, self._require_capacity = app, path, require_capacity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or respond with 429."""
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] == "POST":
            try:
                self._require_capacity()
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimitMiddleware:
    """Ends requests that bring too much or take too long."""

    def __init__(self, app: ASGIApp, max_bytes: int, upload_seconds: float) -> None:
        self._app, self._max_bytes, self._upload_seconds = app, max_bytes, upload_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request with its body bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if len(length) > MAX_DIGITS or not length.isdecimal() or int(length) > self._max_bytes:
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

        await self._app(scope, bounded_receive, send)

    def _too_large(self) -> Problem:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a request has at most {self._max_bytes} bytes; send fewer or smaller images",
            headers=CLOSE,
        )
