"""Tar members with nothing of this machine in them: ustar headers with fixed times, owners and modes."""

BLOCK = 512
END_OF_ARCHIVE = bytes(2 * BLOCK)

_BEFORE_SIZE = b"0000644\0" + b"0000000\0" + b"0000000\0"
_TIME = b"00000000000\0"
_AFTER_CHECKSUM = b"0" + bytes(100) + b"ustar\0" + b"00" + bytes(64 + 16)
_REST = bytes(BLOCK - 100 - len(_BEFORE_SIZE) - 12 - len(_TIME) - 8 - len(_AFTER_CHECKSUM))


def header(name: str, size: int) -> bytes:
    """The 512-byte ustar header of a regular file (POSIX 1003.1-1990); ``name`` has at most 100 bytes."""
    encoded = name.encode().ljust(100, b"\0")
    before = encoded + _BEFORE_SIZE + b"%011o\0" % size + _TIME
    after = _AFTER_CHECKSUM + _REST
    # The checksum is the sum of all bytes, its own field counted as spaces.
    checksum = sum(before) + sum(after) + 8 * 32
    return b"%b%06o\0 %b" % (before, checksum, after)


def padding(size: int) -> bytes:
    """The zeros after a member of ``size`` bytes."""
    return bytes(-size % BLOCK)
