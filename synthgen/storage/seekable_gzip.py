"""Reading a gzip file (RFC 1952) at any place, without unpacking it to a disk."""

import io
import zlib
from bisect import bisect_right
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from zlib import _Decompress

MAX_UNPACKED = 64 * 2**30
"""Unpacked bytes that are read of one file: every process reads them once, before the first image."""
PIECE = 2**20
"""Bytes that are read, and at most unpacked, at a time."""
STEP = 8 * PIECE
"""Unpacked bytes between two places where reading can begin; each takes about 50 kB of memory."""
_MAGIC = b"\x1f\x8b"


class _Place(NamedTuple):
    """Where reading can begin: byte of the unpacked data, byte of the file, and the decompressor there."""

    unpacked: int
    packed: int
    decompressor: "_Decompress"


class SeekableGzip(io.RawIOBase):
    """The unpacked bytes of a gzip file of one or several members, as a file that is only read.

    ``piece(start, size)`` gives bytes of the packed file, fewer at its end. Reading raises OSError or
    zlib.error for damaged data, EOFError where the file ends too early, ValueError beyond MAX_UNPACKED.
    """

    def __init__(self, piece: Callable[[int, int], bytes]) -> None:
        self._piece = piece
        self._position = 0
        self._lock = Lock()
        self._places = [_Place(0, 0, _new_member())]
        self._next = self._copy(0)
        self._block = b""
        """The unpacked bytes before ``_next``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return SeekableGzip, (self._piece,)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place from the start or the current one; the end is not known."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a gzip file is not known")
        self._position = offset + (self._position if whence == io.SEEK_CUR else 0)
        return self._position

    def tell(self) -> int:
        """The current place."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill at most a buffer with what comes next; 0 bytes at the end."""
        if not self._go_to(self._position):
            return 0
        start = self._position - (self._next.unpacked - len(self._block))
        found = self._block[start : start + len(buffer)]
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)

    def read_at(self, start: int, size: int) -> bytes:
        """The ``size`` unpacked bytes from ``start``, fewer at the end; for several threads."""
        with self._lock:
            self.seek(start)
            parts = []
            while size and (part := self.read(size)):
                parts.append(part)
                size -= len(part)
            return b"".join(parts)

    def _go_to(self, position: int) -> bool:
        """Make ``_block`` the one that holds a position; False where the data end before it."""
        number = bisect_right(self._places, position, key=lambda place: place.unpacked) - 1
        is_behind = position < self._next.unpacked - len(self._block)
        if is_behind or self._places[number].unpacked > self._next.unpacked:
            self._next, self._block = self._copy(number), b""
        while position >= self._next.unpacked:
            if not self._unpack():
                return False
        return True

    def _unpack(self) -> bool:
        """Unpack the next block, which may be empty; False at the end of the data."""
        unpacked, packed, decompressor = self._next
        data = self._piece(packed, PIECE)
        if decompressor.eof:
            if not data.startswith(_MAGIC):  # what may follow the last member is padding
                return False
            decompressor = _new_member()
        elif not data:
            raise EOFError("the gzip data end too early")
        self._block = decompressor.decompress(data, PIECE)
        packed += len(data) - len(decompressor.unconsumed_tail) - len(decompressor.unused_data)
        self._next = _Place(unpacked + len(self._block), packed, decompressor)
        if self._next.unpacked > MAX_UNPACKED:
            raise ValueError(f"it unpacks to over {MAX_UNPACKED / 2**30:.0f} GiB; unpack it with gunzip")
        if self._next.unpacked >= self._places[-1].unpacked + STEP:
            self._places.append(self._next._replace(decompressor=decompressor.copy()))
        return True

    def _copy(self, number: int) -> _Place:
        place = self._places[number]
        return place._replace(decompressor=place.decompressor.copy())


def _new_member() -> "_Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with gzip's header and check sum
