"""Decoding and preparing images, against the arrays they were written from and slow obvious versions."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from synthgen.images import decode as decode_module
from synthgen.images.decode import UnusableImage, decode, has_more_pages, size_of
from synthgen.images.encode import encode_jpeg, encode_webp
from synthgen.images.pixels import is_grey
from synthgen.images.preparation import Preparation
from synthgen.images.prepare import prepare, prepare_mask

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 20, 30
LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_deflate"}),
    ("WEBP", {"lossless": True, "exact": True}),
    ("PPM", {}),
]


def noise(channels: int, dtype: type = np.uint8) -> Array:
    random = np.random.default_rng(channels)
    return random.integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, channels), dtype, endpoint=True)


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(values: Array, colour_type: int, *extra: bytes) -> bytes:
    """A PNG written by hand: (H, W, C), 8 or 16 bits, filter 0."""
    height, width = values.shape[:2]
    big_endian = values.astype(values.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big_endian)
    header = struct.pack(">IIBBBBB", width, height, values.dtype.itemsize * 8, colour_type, 0, 0, 0)
    body = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def tiff(values: Array, photometric: int, *extra: tuple[int, int], compression: int = 1) -> bytes:
    """A little-endian TIFF of one strip written by hand: (H, W, C); ``extra`` are SHORT tags and values."""
    height, width, channels = values.shape
    bits = values.dtype.itemsize * 8
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    data = zlib.compress(data) if compression == 8 else data
    bits_at = 8 + len(data)
    tags = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, channels, bits if channels == 1 else bits_at),
        259: (3, 1, compression),
        262: (3, 1, photometric),
        273: (4, 1, 8),
        277: (3, 1, channels),
        278: (4, 1, height),
        279: (4, 1, len(data)),
        **{tag: (3, 1, value) for tag, value in extra},
    }
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    directory_at = bits_at + 2 * channels
    depths = struct.pack(f"<{channels}H", *[bits] * channels)
    directory = struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"
    return struct.pack("<2sHI", b"II", 42, directory_at) + data + depths + directory


def over_white(colour: Array, alpha: Array) -> Array:
    """The exact composite, in Python integers."""
    white = int(np.iinfo(colour.dtype).max)
    blend = np.vectorize(lambda v, a: (int(a) * int(v) + (white - int(a)) * white + white // 2) // white)
    return np.asarray(blend(colour, np.broadcast_to(alpha, colour.shape)), colour.dtype)


@pytest.mark.parametrize(("form", "options"), LOSSLESS)
def test_rgb_comes_back_exactly(form: str, options: dict[str, Any]) -> None:
    pixels = noise(3)
    result = decode(saved(Image.fromarray(pixels), form, **options))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize(("form", "options"), [each for each in LOSSLESS if each[0] != "WEBP"])
def test_grey_comes_back_exactly_with_one_channel(form: str, options: dict[str, Any]) -> None:
    pixels = noise(1)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(pixels[..., 0]), form, **options)), pixels)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_rgba_is_composited_over_white(form: str) -> None:
    pixels = noise(4)
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    result = decode(saved(Image.fromarray(pixels), form, **options))
    np.testing.assert_array_equal(result, over_white(pixels[..., :3], pixels[..., 3:]))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_with_alpha_is_composited_over_white_and_stays_grey(form: str) -> None:
    pixels = noise(2)
    result = decode(saved(Image.fromarray(pixels, "LA"), form))
    np.testing.assert_array_equal(result, over_white(pixels[..., :1], pixels[..., 1:]))


def test_alpha_of_a_known_pixel() -> None:
    pixels = np.full((16, 16, 4), (100, 0, 200, 51), np.uint8)  # 51 / 255 = 1 / 5
    expected = (0.2 * 100 + 0.8 * 255, 0.8 * 255, 0.2 * 200 + 0.8 * 255)
    assert decode(saved(Image.fromarray(pixels), "PNG"))[3, 4].tolist() == [round(v) for v in expected]


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_palette_becomes_rgb(form: str) -> None:
    indices = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 4
    colours = np.array([(1, 2, 3), (250, 0, 9), (7, 7, 7), (0, 255, 128)], np.uint8)
    picture = Image.fromarray(indices, "P")
    picture.putpalette(colours.tobytes())
    np.testing.assert_array_equal(decode(saved(picture, form)), colours[indices])


def test_transparent_palette_colours_are_composited() -> None:
    indices = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 3
    colours = np.array([(1, 2, 3), (250, 0, 9), (7, 7, 7)], np.uint8)
    alpha = np.array([255, 0, 128], np.uint8)
    picture = Image.fromarray(indices, "P")
    picture.putpalette(colours.tobytes())
    result = decode(saved(picture, "PNG", transparency=alpha.tobytes()))
    np.testing.assert_array_equal(result, over_white(colours[indices], alpha[indices][..., None]))


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_one_bit_becomes_black_and_white(form: str) -> None:
    bits = noise(1)[..., 0] > 127
    result = decode(saved(Image.fromarray(bits), form))
    np.testing.assert_array_equal(result[..., 0], np.where(bits, 255, 0))


def test_one_colour_named_transparent_becomes_white() -> None:
    grey, colour = noise(1), noise(3)
    grey_png = png(grey, 0, chunk(b"tRNS", struct.pack(">H", int(grey[2, 3, 0]))))
    np.testing.assert_array_equal(decode(grey_png), np.where(grey == grey[2, 3], 255, grey))
    colour_png = png(colour, 2, chunk(b"tRNS", struct.pack(">HHH", *map(int, colour[2, 3]))))
    expected = colour.copy()
    expected[2, 3] = 255
    np.testing.assert_array_equal(decode(colour_png), expected)


@pytest.mark.parametrize(("channels", "colour_type"), [(1, 0), (3, 2), (2, 4), (4, 6)])
def test_sixteen_bit_png_stays_sixteen_bit(channels: int, colour_type: int) -> None:
    pixels = noise(channels, np.uint16)
    result = decode(png(pixels, colour_type))
    assert result.dtype == np.uint16
    has_alpha = channels in (2, 4)
    expected = over_white(pixels[..., :-1], pixels[..., -1:]) if has_alpha else pixels
    np.testing.assert_array_equal(result, expected)


def test_sixteen_bit_png_with_a_transparent_value() -> None:
    grey, colour = noise(1, np.uint16), noise(3, np.uint16)
    grey_png = png(grey, 0, chunk(b"tRNS", struct.pack(">H", int(grey[2, 3, 0]))))
    np.testing.assert_array_equal(decode(grey_png), np.where(grey == grey[2, 3], 65535, grey))
    colour_png = png(colour, 2, chunk(b"tRNS", struct.pack(">HHH", *map(int, colour[2, 3]))))
    expected = colour.copy()
    expected[2, 3] = 65535
    np.testing.assert_array_equal(decode(colour_png), expected)


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bit_tiff_stays_sixteen_bit(channels: int, compression: int) -> None:
    pixels = noise(channels, np.uint16)
    extra = [(338, 2)] if channels == 4 else []
    result = decode(tiff(pixels, 1 if channels == 1 else 2, *extra, compression=compression))
    assert result.dtype == np.uint16
    expected = over_white(pixels[..., :3], pixels[..., 3:]) if channels == 4 else pixels
    np.testing.assert_array_equal(result, expected)


def test_tiff_where_white_is_zero() -> None:
    for pixels in (noise(1), noise(1, np.uint16)):
        np.testing.assert_array_equal(decode(tiff(pixels, 0)), np.iinfo(pixels.dtype).max - pixels)


def test_the_unspecified_fourth_sample_of_a_tiff_is_not_alpha() -> None:
    pixels = noise(4, np.uint16)
    np.testing.assert_array_equal(decode(tiff(pixels, 2, (338, 0))), pixels[..., :3])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(noise(4, np.uint16), 2, (338, 1)), "premultiplied"),
        (tiff(noise(4, np.uint16), 5), "CMYK"),
        (tiff(noise(1, np.uint16), 1, (339, 2)), "unsigned"),
        (saved(Image.fromarray(np.ones((20, 20), np.float32)), "TIFF"), "unsigned"),
    ],
)
def test_deep_images_that_would_be_misread_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableImage, match=reason):
        decode(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "PNG16", "TIFF16", "JPEG"])
def test_exif_orientation_is_applied(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    deep = form.endswith("16")
    pixels = noise(3, np.uint16 if deep else np.uint8)
    if form == "PNG16":
        data = png(pixels, 2, chunk(b"eXIf", exif.tobytes()[6:]))
    elif form == "TIFF16":
        data = tiff(pixels, 2, (274, orientation))
    else:
        options = {"lossless": True, "exact": True} if form == "WEBP" else {}
        data = saved(Image.fromarray(pixels), form, exif=exif, **options)

    stored = np.asarray(Image.open(io.BytesIO(data))) if form == "JPEG" else pixels
    oriented = []
    for plane in range(3):  # Pillow turns one plane at a time, whatever its depth
        picture = Image.fromarray(stored[..., plane].astype(np.int32), "I")
        picture.getexif()[0x0112] = orientation
        oriented.append(np.asarray(ImageOps.exif_transpose(picture)))
    np.testing.assert_array_equal(decode(data), np.dstack(oriented))


def test_cmyk_jpeg_becomes_rgb() -> None:
    inks = np.zeros((64, 64, 4), np.uint8)
    inks[:] = (200, 30, 90, 40)
    result = decode(saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=95))
    expected = [(255 - ink) * (255 - 40) / 255 for ink in (200, 30, 90)]
    assert result.shape == (64, 64, 3)
    np.testing.assert_allclose(result.reshape(-1, 3).mean(axis=0), expected, atol=3)


def test_jpeg_agrees_with_opencv() -> None:
    smooth = cv2.resize(noise(3), (90, 60), interpolation=cv2.INTER_CUBIC)
    data = encode_jpeg(smooth, 90)
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decode(data).astype(int) - other).max() <= 2


def netpbm(values: Array, largest: int, comment: str = "") -> bytes:
    """A binary PGM or PPM (H, W, C) written by hand, big-endian above 255."""
    height, width, channels = values.shape
    kind = "P5" if channels == 1 else "P6"
    stored = values.astype(">u2" if largest > 255 else np.uint8)
    return f"{kind}\n{comment}{width} {height}\n{largest}\n".encode() + stored.tobytes()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("largest", [1, 15, 100, 254, 255])
def test_netpbm_of_up_to_8_bits_is_scaled_to_255(channels: int, largest: int) -> None:
    values = np.random.default_rng(largest).integers(0, largest + 1, (HEIGHT, WIDTH, channels))
    found = decode(netpbm(values, largest, "# a comment\n"))
    assert found.dtype == np.uint8
    assert np.abs(found - values * 255 / largest).max() <= 0.5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("largest", [256, 1023, 4095, 65535])
def test_netpbm_of_more_bits_stays_as_it_is_stored(channels: int, largest: int) -> None:
    values = np.random.default_rng(largest).integers(0, largest + 1, (HEIGHT, WIDTH, channels))
    found = decode(netpbm(values, largest))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, values)


def test_a_netpbm_bitmap_is_black_where_it_is_1() -> None:
    ink = np.random.default_rng(0).integers(0, 2, (HEIGHT, WIDTH))
    data = f"P4\n{WIDTH} {HEIGHT}\n".encode() + np.packbits(ink, axis=1).tobytes()
    np.testing.assert_array_equal(decode(data)[..., 0], 255 * (1 - ink))


@pytest.mark.parametrize("kind", ["P1", "P2", "P3"])
def test_plain_text_netpbm_is_named(kind: str) -> None:
    with pytest.raises(UnusableImage, match=f"^the file is a {kind}, a text PBM, PGM or PPM; save it as"):
        decode(f"{kind}\n16 16\n255\n{'0 ' * 768}".encode())


def test_wrong_netpbm_is_refused() -> None:
    values = np.full((HEIGHT, WIDTH, 1), 200)
    with pytest.raises(UnusableImage, match=r"a value of 200 is above 100, the largest by the header"):
        decode(netpbm(values, 100))
    for data in (netpbm(values, 255)[:-1], netpbm(values, 4095)[:-1]):
        with pytest.raises(UnusableImage, match=rf"{len(data)} bytes of at least {len(data) + 1}"):
            decode(data)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("TIFF", {}),
        ("TIFF", {"big_tiff": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("PNG", {}),
        ("WEBP", {}),
    ],
)
def test_more_pages_are_seen_and_the_first_is_used(form: str, options: dict[str, Any]) -> None:
    pages = [Image.fromarray(np.full((HEIGHT, WIDTH), grey, np.uint8)) for grey in (40, 200, 90)]
    one = saved(pages[0], form, **options)
    several = saved(pages[0], form, save_all=True, append_images=pages[1:], **options)
    assert (has_more_pages(one), has_more_pages(several)) == (False, True)
    assert abs(int(decode(several)[0, 0, 0]) - 40) <= 2
    assert not any(has_more_pages(saved(pages[0], other)) for other in ("JPEG", "BMP", "PPM"))


def test_the_format_is_told_by_content_alone() -> None:
    with pytest.raises(UnusableImage, match=r"starts with 'GIF8.*PNG, JPEG"):
        decode(saved(Image.fromarray(noise(3)), "GIF"))


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"this is not an image\n", "starts with 'this is "),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\xff\xd8\xff", "damaged"),
        (b"BM", "damaged"),
        (b"II*\0", "damaged"),
        (b"RIFF....WEBP", "damaged"),
        (b"P6\n", "damaged"),
        (bomb(), r"50000 x 50000 pixels \(2500 megapixels\); at most 64"),
        (saved(Image.new("RGB", (1, 1)), "PNG"), "1 x 1 pixels; at least 16"),
        (saved(Image.new("RGB", (300, 15)), "PNG"), "300 x 15 pixels; at least 16"),
    ],
)
def test_hostile_input_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableImage, match=reason):
        decode(data)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    "data",
    [
        *[saved(Image.fromarray(noise(3)), form, **options) for form, options in LOSSLESS],
        saved(Image.fromarray(noise(3)), "JPEG"),
        png(noise(3, np.uint16), 2),
        tiff(noise(3, np.uint16), 2),
    ],
)
def test_a_truncated_file_is_refused_in_silence(
    data: bytes, share: float, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(UnusableImage, match=r"truncated|damaged"):
        decode(data[: int(len(data) * share)])
    assert capfd.readouterr() == ("", "")
    assert not list(recwarn)


def test_a_truncated_tiff_whose_directory_comes_first(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(tiff(noise(3), 2, compression=8))
    count_entry = bytes(data).index(struct.pack("<HHI", 279, 4, 1)) + 8
    data[count_entry : count_entry + 4] = struct.pack("<I", len(data) - 8)
    np.testing.assert_array_equal(decode(bytes(data)), noise(3))
    data[count_entry : count_entry + 4] = struct.pack("<I", 10_000)
    with pytest.raises(UnusableImage, match=f"{len(data)} bytes of at least 10008"):
        decode(bytes(data))
    assert capfd.readouterr().err == ""


def test_damaged_bytes_are_refused_or_decoded_but_nothing_else() -> None:
    random = np.random.default_rng(5)
    for form, options in [*LOSSLESS, ("JPEG", {})]:
        if options.get("compression"):
            continue  # libtiff reports such damage on standard error itself
        data = np.frombuffer(saved(Image.fromarray(noise(3)), form, **options), np.uint8)
        for _ in range(60):
            damaged = data.copy()
            damaged[random.integers(0, len(data), 4)] = random.integers(0, 256, 4)
            try:
                assert decode(damaged.tobytes()).ndim == 3
            except UnusableImage as error:
                assert "\n" not in str(error)


def test_guards_stand_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.fromarray(np.zeros((1000, 1000), np.uint8)), "PNG")
    assert decode(data, max_megapixels=1).shape == (1000, 1000, 1)
    monkeypatch.setattr(decode_module, "_samples", lambda image, data: pytest.fail("pixels were decoded"))
    more = saved(Image.fromarray(np.zeros((1001, 1000), np.uint8)), "PNG")
    with pytest.raises(
        UnusableImage, match=r"1000 x 1001 .* at most 1 are read: make it smaller, or set source"
    ):
        decode(more, max_megapixels=1)
    monkeypatch.setattr(decode_module, "MAX_BYTES", len(data) - 1)
    monkeypatch.setattr(decode_module, "_open", lambda data: pytest.fail("the header was read"))
    with pytest.raises(UnusableImage, match="at most"):
        decode(data)


def large_webp() -> bytes:
    """A small picture, the header of which says 16383 x 16383 pixels."""
    data = bytearray(saved(Image.fromarray(noise(3)), "WEBP", lossless=True))
    sizes = data.index(b"VP8L") + 9
    has_alpha = data[sizes + 3] & 0b0001_0000
    data[sizes : sizes + 4] = struct.pack("<I", 16382 | 16382 << 14 | has_alpha << 24)
    return bytes(data)


@pytest.mark.parametrize("limit", [None, 1, 50_000_000, 10**12])
def test_the_bound_is_ours_whatever_pillows_is(limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(noise(3)), "PNG")), noise(3))
    for read, most in ((decode, 64), (size_of, 1000)):
        with pytest.raises(
            UnusableImage, match=rf"2500 megapixels\); at most {most} are read: make it smaller$"
        ):
            read(bomb())
    with pytest.raises(UnusableImage, match=r"pixels.*: make it smaller, or "):
        decode(large_webp())


def test_is_grey() -> None:
    grey = noise(1)
    assert is_grey(grey)
    assert is_grey(np.repeat(grey, 3, axis=2))
    almost = np.repeat(grey, 3, axis=2)
    almost[5, 6, 2] ^= 1
    assert not is_grey(almost)
    assert is_grey(decode(saved(Image.fromarray(np.repeat(grey, 3, axis=2)), "PNG")))


def preparation(size: tuple[int, int], **fields: Any) -> Preparation:
    return Preparation(**{"size": size, "resize": "whole", "channels": 3, **fields})


def test_an_image_of_the_right_size_is_unchanged() -> None:
    np.testing.assert_array_equal(prepare(noise(3), preparation((HEIGHT, WIDTH))), noise(3))


def test_shrinking_by_a_whole_factor_is_the_mean_of_each_block() -> None:
    blocks = noise(3).reshape(HEIGHT // 2, 2, WIDTH // 3, 3, 3)
    result = prepare(noise(3), preparation((HEIGHT // 2, WIDTH // 3)))
    np.testing.assert_allclose(result, blocks.mean(axis=(1, 3)), atol=0.51)


def test_enlarging_never_overshoots() -> None:
    edge = np.zeros((16, 16, 1), np.uint8)
    edge[:, 8:] = 200
    result = prepare(edge, preparation((40, 56), channels=1))
    assert result.shape == (40, 56, 1)
    assert result.min() == 0
    assert result.max() == 200
    assert (np.diff(result[0, :, 0].astype(int)) >= 0).all()


def test_shrinking_one_side_and_enlarging_the_other_does_not_alias() -> None:
    stripes = np.zeros((64, 16, 1), np.uint8)
    stripes[::2] = 200
    result = prepare(stripes, preparation((16, 32), channels=1))
    assert (result == 100).all()


def test_centre_crop() -> None:
    result = prepare(noise(3), preparation((16, 20), resize="crop"))
    np.testing.assert_array_equal(result, noise(3)[2:18, 5:25])
    assert result.flags["C_CONTIGUOUS"]


def test_an_image_smaller_than_the_crop_is_refused() -> None:
    for size in ((21, 16), (16, 31)):
        with pytest.raises(UnusableImage, match="30 x 20 pixels, smaller than the crop of"):
            prepare(noise(3), preparation(size, resize="crop"))


def test_channels() -> None:
    grey = noise(1)
    three = np.repeat(grey, 3, axis=2)
    size = (HEIGHT, WIDTH)
    np.testing.assert_array_equal(prepare(grey, preparation(size)), three)
    np.testing.assert_array_equal(prepare(three, preparation(size, channels=1)), grey)


def test_every_sixteen_bit_value_is_scaled_by_the_sources_range() -> None:
    low, high = 1000, 41_234
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    result = prepare(values, preparation((256, 256), channels=1, depth16=(low, high)))
    exact = (values.astype(np.float64) - low) / (high - low) * 255
    np.testing.assert_array_equal(result, np.floor(exact.clip(0, 255) + 0.5))
    assert result.dtype == np.uint8


def test_a_sixteen_bit_range_of_one_value() -> None:
    values = np.full((16, 16, 1), 500, np.uint16)
    with np.errstate(all="raise"):
        assert not prepare(values, preparation((16, 16), channels=1, depth16=(500, 500))).any()


def test_sixteen_bits_without_a_range_are_refused() -> None:
    with pytest.raises(UnusableImage, match="16 bits"):
        prepare(noise(3, np.uint16), preparation((HEIGHT, WIDTH)))


def test_a_mask_has_the_geometry_of_its_image() -> None:
    mask = np.zeros((40, 60), np.bool_)
    mask[10:20, 13:40] = True
    small = prepare_mask(mask, preparation((20, 30)))
    blocks = mask.reshape(20, 2, 30, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(small, np.where(blocks >= 0.5, 255, 0))
    cropped = prepare_mask(mask, preparation((20, 30), resize="crop"))
    np.testing.assert_array_equal(cropped, np.where(mask[10:30, 15:45], 255, 0))
    assert small.dtype == cropped.dtype == np.uint8


@pytest.mark.parametrize("channels", [1, 3])
def test_encoders(channels: int) -> None:
    pixels = noise(channels)
    np.testing.assert_array_equal(decode(encode_webp(pixels)), np.broadcast_to(pixels, (HEIGHT, WIDTH, 3)))
    smooth = np.full((HEIGHT, WIDTH, channels), 200, np.uint8)
    smooth[..., 0] = 60
    np.testing.assert_allclose(decode(encode_jpeg(smooth, 95)).astype(int), smooth, atol=3)
    assert len(encode_jpeg(pixels, 30)) < len(encode_jpeg(pixels, 95))
