"""Pictures with a known foreground: drawn shapes, hand-made outlines, and circles fitted to bottles."""

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from synthgen.images.pixels import Pixels

Mask = npt.NDArray[np.bool_]

OUTLINES = Path(__file__).parent / "outlines"
SHAPES = ("disc", "discs", "triangle", "bar", "beyond")


def overlap(first: Pixels | Mask, second: Pixels | Mask) -> float:
    """Intersection over union of two masks."""
    first, second = first > 0, second > 0
    return float(np.count_nonzero(first & second) / max(1, np.count_nonzero(first | second)))


def read(path: Path, size: tuple[int, int] | None = (256, 256)) -> Pixels:
    """An image (H, W, C), grey or RGB, resized to (H, W)."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if size:
        stored = cv2.resize(stored, size[::-1], interpolation=cv2.INTER_AREA)
    return stored[..., None] if stored.ndim == 2 else cv2.cvtColor(stored[..., :3], cv2.COLOR_BGR2RGB)


def built_in(file: str, size: tuple[int, int] | None = (256, 256)) -> Pixels:
    """A photograph that is installed with scikit-image."""
    import skimage

    return read(Path(skimage.__file__).parent / "data" / file, size)


def quarters(image: Pixels) -> list[Pixels]:
    """The four quarters of an image, each 256 x 256."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    parts = [image[top : top + height, left : left + width] for top in (0, height) for left in (0, width)]
    return [
        cv2.resize(part, (256, 256), interpolation=cv2.INTER_AREA).reshape(256, 256, -1) for part in parts
    ]


def outlined(name: str, size: tuple[int, int] = (256, 256)) -> tuple[Pixels, Mask]:
    """A built-in photograph and its product inside the hand-made outline, resized to (H, W)."""
    outline = json.loads((OUTLINES / f"{name}.json").read_text())
    mask = np.zeros((outline["height"], outline["width"]), np.uint8)
    for polygon in outline["polygons"]:
        cv2.fillPoly(mask, [np.array(polygon, np.int32)], 255)
    resized = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA)
    return built_in(outline["image"], size), resized >= 128


def shape(name: str, index: int, size: tuple[int, int] = (256, 256)) -> Mask:
    """Exact mask of a drawn product; ``index`` moves it and changes its size."""
    height, width = size
    rows, columns = np.mgrid[:height, :width] / min(size)
    right = width / min(size)
    step = index / 5
    match name:
        case "disc":
            return np.hypot(rows - 0.45 - 0.1 * step, columns - 0.5 * right) < 0.2 + 0.15 * step
        case "discs":
            centres = ((0.25, 0.25), (0.3, 0.7 * right), (0.72, 0.5 * right))
            return np.any([np.hypot(rows - y, columns - x) < 0.1 + 0.05 * step for y, x in centres], axis=0)
        case "triangle":
            return (rows < 0.85) & (np.abs(columns - 0.5 * right) < (rows - 0.15) * (0.3 + 0.2 * step))
        case "bar":  # leaves the frame above and below
            return np.abs(columns - (0.4 + 0.1 * step) * right + 0.2 * (rows - 0.5)) < 0.12 + 0.1 * step
        case "side":  # leaves the frame at the left, and in part above and below
            return columns < (0.3 + 0.2 * step) * right
        case "beyond":  # leaves the frame on all four sides
            return np.hypot(rows - 0.5, (columns - 0.5 * right) / right) < 0.54 + 0.04 * step
        case "ring":
            distance = np.hypot(rows - 0.5, columns - 0.5 * right)
            return (distance < 0.35 + 0.05 * step) & (distance > 0.12)
    raise ValueError(name)


def drawn(
    mask: Mask,
    seed: int,
    levels: tuple[float, float] = (60, 200),
    noise: tuple[float, float] = (4, 4),
    slope: float = 0,
) -> Pixels:
    """A blurred grey picture (H, W, 1) of a mask, with (product, background) levels and noise."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]] / max(mask.shape) - 0.5
    picture = np.where(mask, *levels) + slope * (rows + columns)
    picture += np.where(mask, *noise) * generator.standard_normal(mask.shape)
    return cv2.GaussianBlur(picture, (3, 3), 0).clip(0, 255).astype(np.uint8)[..., None]


def bottle_circle(image: Pixels) -> tuple[float, float, float]:
    """Centre (x, y) and radius of a bottle's outer edge, by least squares through the steepest edge points.

    Along 360 rays from outside, the steepest descent of the first edge met is one point; points that do not
    agree with the circle are left out.
    """
    angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)[:, None]
    radii = np.arange(127, 60, -0.25)[None]
    centre = (image.shape[1] - 1) / 2
    columns, rows = centre + radii * np.cos(angles), centre + radii * np.sin(angles)
    rays = cv2.remap(
        image.mean(axis=2, dtype=np.float32),
        columns.astype(np.float32),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    descent = -np.diff(cv2.GaussianBlur(rays, (5, 1), 0), axis=1)
    met = np.argmax(descent > 4, axis=1)
    steepest = np.array(
        [start + np.argmax(ray[start : start + 24]) for start, ray in zip(met, descent, strict=True)]
    )
    at = radii[0, steepest] - 0.125
    points = np.stack([centre + at * np.cos(angles[:, 0]), centre + at * np.sin(angles[:, 0])], axis=1)

    agreeing = np.ones(len(points), bool)
    x = y = radius = 0.0
    for _ in range(10):
        terms = np.c_[2 * points[agreeing], np.ones(np.count_nonzero(agreeing))]
        x, y, rest = np.linalg.lstsq(terms, np.square(points[agreeing]).sum(axis=1), rcond=None)[0]
        radius = float(np.sqrt(rest + x * x + y * y))
        residual = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius)
        agreeing = residual <= max(2.5 * float(np.median(residual)), 0.5)
    return float(x), float(y), radius


def bottles(data: Path) -> list[Pixels]:
    """All normal bottles, RGB."""
    return [read(path) for path in sorted((data / "data/mvtec/bottle/train/good").glob("*.png"))]


def tiles(data: Path, size: tuple[int, int] | None) -> list[Pixels]:
    """Sixteen normal magnetic tiles, grey, at native size or resized."""
    paths = sorted((data / "data/magnetic_tile/train/good").iterdir())
    return [read(path, size) for path in paths[:: len(paths) // 16][:16]]
