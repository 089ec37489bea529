"""What lies below a folder: the images, and what was passed over on the way to them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

OTHER_FORMATS = frozenset(
    (
        *(".apng", ".gif", ".ico", ".svg", ".svgz", ".eps", ".tga", ".pcx", ".dds", ".ras", ".sgi", ".mpo"),
        *(".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".j2c", ".jpx", ".jxl", ".jxr", ".wdp"),
        *(".exr", ".hdr", ".pfm", ".pam", ".psd", ".psb", ".xcf"),
        *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".srw", ".pef"),
        *(".dcm", ".dicom", ".nii", ".mha", ".mhd", ".nrrd", ".fits", ".fit", ".czi", ".lif", ".nd2"),
        *(".svs", ".ndpi", ".npy", ".npz"),
    )
)
"""Suffixes of pictures that are not read, so that a folder of them is not passed over without a word."""
READ = "PNG, JPEG, BMP, TIFF, WebP and PBM/PGM/PPM are read"


class Stray(NamedTuple):
    """An entry of a folder that is neither a file to read nor a folder to look into."""

    path: str
    """As text: bytes that are not UTF-8 are written as ``\\udcXX``."""
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a folder, without hidden entries; paths are sorted, and relative to the root."""

    files: list[str]
    """All that can be read, whatever it is."""
    images: list[str]
    other_formats: list[str]
    """Pictures of formats that are not read."""
    strays: list[Stray]


def formats_note(paths: Sequence[str]) -> list[str]:
    """One sentence on pictures of formats that are not read; none where there is no such picture."""
    if not paths:
        return []
    files = "1 file of another format was" if len(paths) == 1 else f"{len(paths)} files of other formats were"
    return [f"{files} passed over: {_counted(paths)}; {READ}"]


def found_instead(listing: Listing) -> str:
    """What an error says of a folder without an image: what else was there."""
    found = [f"{stray.path}, which {stray.reason}" for stray in listing.strays[:1]]
    if listing.other_formats:
        found.insert(0, _counted(listing.other_formats))
    return f"; found instead: {' and '.join(found)}" if found else ""


def _counted(paths: Sequence[str]) -> str:
    """``12 .gif, 6 .heic``."""
    suffixes = Counter(PurePosixPath(path).suffix.lower() for path in paths)
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items(), key=lambda s: -s[1]))
