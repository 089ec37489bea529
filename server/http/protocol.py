"""Connections of clients that are slow, gone or broken, to which uvicorn would listen without end."""

import asyncio
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.http.problems import Problem

LINGER_SECONDS = 5.0
"""How long the rest of a body of a request may still come after its response."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with bounds for headers that do not end and for readers that take nothing."""

    def __init__(self, *, header_seconds: float, stall_seconds: float, **named: Any) -> None:
        super().__init__(**named)
        self._header_seconds, self._stall_seconds = header_seconds, stall_seconds
        self._header_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_header_timer()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what came; while that is a part of headers, the time runs."""
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._stop_header_timer()
        elif self._has_part_of_headers() and not self.transport.is_closing():
            self._await_headers()

    def send_400_response(self, msg: str) -> None:
        """Respond to what is no HTTP with a problem, if no response has begun, and close the connection."""
        self._refuse(HTTPStatus.BAD_REQUEST, "this is no HTTP/1.1 request, or its headers are too long")

    def on_response_complete(self) -> None:
        """Go on with the connection, once the rest of a body has come whose response did not wait for it.

        It is dropped as it comes, for a while: to close at once would take the response from a client that
        still sends.
        """
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.loop.call_later(LINGER_SECONDS, self._close_if_still_sending, self.cycle)

    def pause_writing(self) -> None:
        """Begin to watch a reader that is slower than the response."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The reader has taken what was waiting."""
        if self._stall_timer:
            self._stall_timer.cancel()
        super().resume_writing()

    def _close_if_still_sending(self, cycle: object) -> None:
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()

    def _await_headers(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self._header_seconds, self._give_up)

    def _stop_header_timer(self) -> None:
        if self._header_timer:
            self._header_timer.cancel()
            self._header_timer = None

    def _has_part_of_headers(self) -> bool:
        return bool(self.conn.trailing_data[0])

    def _give_up(self) -> None:
        if self._has_part_of_headers():
            seconds = f"{self._header_seconds:g} seconds"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"the headers took over {seconds} to arrive")
        self.transport.close()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = Problem(status, detail).response()
            headers = [*response.raw_headers, (b"connection", b"close")]
            start = h11.Response(status_code=status, headers=headers, reason=status.phrase)
            for event in (start, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle:  # its response would come too late
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _watch(self, left: int) -> None:
        """End the connection, if by then no byte of what is left to send was taken."""
        self._stall_timer = self.loop.call_later(self._stall_seconds, self._judge, left)

    def _judge(self, left: int) -> None:
        now_left = self.transport.get_write_buffer_size()
        if now_left >= left:
            self.transport.abort()
        else:
            self._watch(now_left)
