import io
import os
import struct
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from residua.data import image as module
from residua.data import preprocess, read_image
from residua.data.batches.keyed import generator
from residua.data.image import BadImage, decoded_size, random_crop
from residua.errors import ResiduaError


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, 255 - across], axis=-1).astype(np.uint8))


COLOUR = {
    "RGB png": encoded(gradient(), "PNG"),
    "RGB jpeg": encoded(gradient(), "JPEG", quality=95),
    "CMYK jpeg": encoded(gradient().convert("CMYK"), "JPEG", quality=95),
    "CMYK tiff": encoded(gradient().convert("CMYK"), "TIFF"),
    "YCbCr tiff": encoded(gradient().convert("YCbCr"), "TIFF"),
    "palette": encoded(gradient().quantize(256), "PNG"),
    "RGBA": encoded(gradient().convert("RGBA"), "PNG"),
    "webp": encoded(gradient(), "WEBP", lossless=True),
    "bmp": encoded(gradient(), "BMP"),
    "ppm": encoded(gradient(), "PPM"),
    "gif": encoded(gradient(), "GIF"),
    "lzw tiff": encoded(gradient(), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("data", COLOUR.values(), ids=COLOUR)
def test_every_colour_mode_becomes_the_same_rgb(data: bytes) -> None:
    image = read_image(data)
    assert image.mode == "RGB" and image.size == (64, 48)
    difference = np.asarray(image).astype(int) - np.asarray(gradient()).astype(int)
    assert np.abs(difference).mean() < 8


LEVELS = np.linspace(0, 255, 64 * 48).reshape(48, 64)
GREY = {
    "L": encoded(Image.fromarray(LEVELS.astype(np.uint8)), "PNG"),
    "LA": encoded(Image.fromarray(LEVELS.astype(np.uint8)).convert("LA"), "PNG"),
    "L jpeg": encoded(Image.fromarray(LEVELS.astype(np.uint8)), "JPEG", quality=98),
    "16-bit png": encoded(Image.fromarray((LEVELS * 257).astype(np.uint16)), "PNG"),
    "16-bit tiff": encoded(Image.fromarray((LEVELS * 257).astype(np.uint16)), "TIFF"),
    "16-bit pgm": b"P5 64 48 65535\n" + (LEVELS * 257).astype(">u2").tobytes(),
    "32-bit tiff": encoded(Image.fromarray((LEVELS * 257).astype(np.int32)), "TIFF"),
    "float 0-1 tiff": encoded(Image.fromarray((LEVELS / 255).astype(np.float32)), "TIFF"),
    "float 0-255 tiff": encoded(Image.fromarray(LEVELS.astype(np.float32)), "TIFF"),
}


@pytest.mark.parametrize("data", GREY.values(), ids=GREY)
def test_every_grey_mode_is_scaled_not_clipped(data: bytes) -> None:
    image = read_image(data)
    assert image.mode == "L"
    assert np.abs(np.asarray(image).astype(int) - LEVELS).max() < 5


def test_bilevel_images_are_black_and_white() -> None:
    image = Image.fromarray(np.eye(16, dtype=bool))
    assert image.mode == "1"
    assert np.array_equal(np.asarray(read_image(encoded(image, "PNG"))), np.eye(16) * 255)


TRANSPARENT = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
PALETTE = Image.new("P", (4, 4), 0)
PALETTE.putpalette([10, 20, 30, 200, 100, 50])
SEE_THROUGH = {
    "RGBA": (encoded(TRANSPARENT, "PNG"), (255, 255, 255)),
    "LA": (encoded(TRANSPARENT.convert("LA"), "PNG"), 255),
    "palette": (encoded(PALETTE, "PNG", transparency=0), (255, 255, 255)),
    "RGB with a transparent colour": (
        encoded(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3)),
        (255, 255, 255),
    ),
    "half": (encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"), (127, 127, 127)),
}


@pytest.mark.parametrize(("data", "colour"), SEE_THROUGH.values(), ids=SEE_THROUGH)
def test_transparency_is_composited_on_white(data: bytes, colour: Any) -> None:
    assert read_image(data).getpixel((1, 1)) == colour


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(encoded(gradient(), "PNG", exif=exif))
    assert image.size == ((48, 64) if orientation >= 5 else (64, 48))
    stored = np.asarray(gradient())
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }
    assert np.array_equal(np.asarray(image), upright[orientation])


PNG = encoded(gradient(), "PNG")
BAD = {
    "empty": (b"", "empty"),
    "text": (b"this is no image", "not an image"),
    "truncated png": (PNG[: len(PNG) // 2], "truncated"),
    "truncated jpeg": (COLOUR["RGB jpeg"][:600], "truncated"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n", "not an image"),
    "not a number": (encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"), "finite"),
    "negative": (encoded(Image.fromarray(np.full((4, 4), -1, np.int32)), "TIFF"), "65535"),
    "too large": (encoded(Image.fromarray(np.full((4, 4), 70000, np.int32)), "TIFF"), "65535"),
    "float beyond": (encoded(Image.fromarray(np.full((4, 4), 300, np.float32)), "TIFF"), "float"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_one_line_with_its_name(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad file.png"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        with pytest.raises(BadImage, match=reason) as refused:
            read_image(source)
        assert "\n" not in str(refused.value) and isinstance(refused.value, ResiduaError)
    assert refused.value.name == str(path)


def test_missing_files_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="No such file"):
        read_image(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png"):
        with pytest.raises(BadImage, match="not a regular file"):
            read_image(path)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, content: bytes = b"") -> bytes:
    """A PNG file of a few bytes, however large it says that it is."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    end = chunk(b"IDAT", content or zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + end


ZEROS = zlib.compress(bytes(80 << 20))
BOMBS = {
    "one column": (png(1, 80_000_000), "1x80000000 pixels are refused.*: a side has 65,535 at most"),
    "one row": (png(80_000_000, 1), "a side has 65,535 at most"),
    "a strip": (png(2, 5_000), "the longer side by the shorter one has 1,000 at most"),
    "many pixels": (png(9_000, 9_000), "an image has 25,000,000 at most"),
    "more pixels": (png(10_000, 10_000), "an image has 89,478,485 at most"),
    "what Pillow refuses": (png(20_000, 10_000), "decompression bomb"),
    "text": (png(8, 8, chunk(b"zTXt", b"a\0\0" + ZEROS)), "too large"),
    "a profile": (png(8, 8, chunk(b"iCCP", b"a\0\0" + ZEROS)), "too large|truncated|not an image"),
    "pixels beyond its size": (png(8, 8, content=ZEROS), ""),
    "gif": (b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + COLOUR["gif"][10:], "refused"),
    "bmp": (
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "refused",
    ),
    "pgm": (b"P5 80000000 1 255\n", "a side has"),
    "tiff of many frames": (
        encoded(Image.new("L", (8, 8)), "TIFF", save_all=True, append_images=[Image.new("L", (8, 8))] * 99),
        "",
    ),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("data", "reason"), BOMBS.values(), ids=BOMBS)
def test_decompression_bombs_are_refused_before_they_are_decoded(data: bytes, reason: str) -> None:
    """What a few bytes say of a file's size costs nothing; without a reason an image is what it says."""
    tracemalloc.start()
    began = time.process_time()
    try:
        if reason:
            with pytest.raises(BadImage, match=reason) as refused:
                read_image(data, at_least=224)
            assert "\n" not in str(refused.value)
        else:
            assert read_image(data).size == (8, 8)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
        assert time.process_time() - began < 1
    finally:
        tracemalloc.stop()


def test_a_baseline_jpeg_may_be_larger_because_it_is_decoded_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DECODED", 50_000)
    baseline, progressive = (encoded(gradient(400, 300), "JPEG", progressive=kind) for kind in (False, True))
    assert read_image(baseline, at_least=100).size == (200, 150)
    for data, options in ((baseline, {}), (progressive, {"at_least": 100})):
        with pytest.raises(BadImage, match="400x300 pixels are refused"):
            read_image(data, **options)
    with pytest.raises(BadImage, match="400x300 pixels are refused"):
        read_image(gradient(400, 300))


def test_a_file_of_many_bytes_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "large.webp"
    with path.open("wb") as file:
        file.write(COLOUR["webp"])
        file.truncate(module.MAX_BYTES + 1)  # sparse: it takes no room on the disk
    with pytest.raises(BadImage, match="268,435,457 bytes are refused"):
        read_image(path)


@pytest.mark.parametrize("kind", ["I", "F", "I;16"])
def test_grey_levels_do_not_depend_on_the_rows_that_are_scaled_at_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = generator(0, "grey").integers(0, 255 if kind == "F" else 65_536, (50, 7))
    image = Image.fromarray(levels.astype({"I": np.int32, "F": np.float32, "I;16": np.uint16}[kind]))
    whole = np.asarray(read_image(image))
    assert np.array_equal(whole, np.rint(levels / (1 if kind == "F" else 257)))
    monkeypatch.setattr(module, "_ROWS", 16)
    assert np.array_equal(np.asarray(read_image(image)), whole)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), source=st.sampled_from([*COLOUR.values(), *GREY.values()]))
def test_damaged_files_give_an_image_or_one_line(data: st.DataObject, source: bytes) -> None:
    bad = bytearray(source[: data.draw(st.integers(1, len(source)))])
    for _ in range(data.draw(st.integers(0, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = read_image(bytes(bad))
    except BadImage as error:
        assert "\n" not in str(error)
    else:
        assert preprocess(image, 8, 3).shape == (3, 8, 8)


@settings(max_examples=100)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([1, 8, 32, 95, 96, 224]),
    st.sampled_from([1, 3]),
)
def test_any_shape_is_prepared_to_any_size(width: int, height: int, size: int, channels: int) -> None:
    image = Image.new("RGB", (width, height), (200, 200, 200))
    pixels = preprocess(image, size, channels)
    assert pixels.shape == (channels, size, size) and pixels.dtype == np.uint8
    assert (pixels == 200).all(), "a border came in"


def test_small_images_of_the_right_size_are_left_as_they_are() -> None:
    image = gradient(32, 32)
    assert np.array_equal(preprocess(image, 32, 3).transpose(1, 2, 0), np.asarray(image))


def test_the_centre_is_kept_and_from_96_px_on_the_margin_is_cut() -> None:
    pixels = np.zeros((256, 512, 3), np.uint8)
    pixels[:, 128:384] = 100  # the centred square,
    pixels[16:240, 144:368] = 200  # and the part with 7/8 of its side
    image = Image.fromarray(pixels)
    assert (preprocess(image, 224, 3) == 200).all()
    small = preprocess(image, 64, 3)[0]
    assert small[1, 1] == 100 and small[32, 32] == 200 and small[1:-1, 1:-1].min() == 100


def test_a_large_jpeg_is_decoded_smaller_but_looks_the_same() -> None:
    data = encoded(gradient(2048, 1536), "JPEG", quality=95)
    reduced = read_image(data, at_least=decoded_size(224))
    assert reduced.size == (512, 384)
    full = preprocess(read_image(data), 224, 3).astype(int)
    assert np.abs(preprocess(reduced, 224, 3) - full).max() <= 4


def test_a_pillow_image_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(encoded(gradient(512, 512), "JPEG"))
    image = Image.open(tmp_path / "x.jpg")
    assert read_image(image, at_least=64).size == (512, 512)
    assert image.size == (512, 512) and image.getpixel((0, 0))


def test_a_random_crop_is_a_function_of_its_key(tmp_path: Path) -> None:
    path = str(tmp_path / "x.jpg")
    Path(path).write_bytes(encoded(gradient(400, 300), "JPEG", quality=95))
    crops = [random_crop(path, 64, 3, generator(0, "crop", 0, i)) for i in range(20)]
    again = [random_crop(path, 64, 3, generator(0, "crop", 0, i)) for i in range(20)]
    assert all(np.array_equal(a, b) for a, b in zip(crops, again, strict=True))
    assert len({crop.tobytes() for crop in crops}) == 20
    assert all(crop.shape == (3, 64, 64) and crop.dtype == np.uint8 for crop in crops)
    # The first channel runs from 0 to 255 across the image: its range in a crop tells the crop's width.
    widths = [(int(crop[0].max()) - int(crop[0].min())) / 255 for crop in crops]
    assert min(widths) < 0.5 < 0.8 < max(widths)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    seed=st.integers(0, 99),
    turn=st.sampled_from([1, 6]),
)
def test_a_random_crop_of_any_shape_never_leaves_the_image(
    width: int, height: int, seed: int, turn: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "x.png"
    path.write_bytes(encoded(Image.new("L", (width, height), 200), "PNG", exif=exif))
    assert (random_crop(str(path), 16, 1, generator(seed, "crop")) == 200).all()


HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(64)


def heic(image: Image.Image, **options: Any) -> bytes:
    heif = pytest.importorskip("pillow_heif", reason="HEIC files are read by pillow-heif (residua[heic])")
    file = io.BytesIO()
    heif.from_pillow(image).save(file, quality=95, **options)
    return file.getvalue()


def test_heic_is_read_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(heic(gradient()))
    image = read_image(tmp_path / "photo.heic")
    assert image.mode == "RGB" and image.size == (64, 48)
    assert np.abs(np.asarray(image).astype(int) - np.asarray(gradient()).astype(int)).mean() < 8
    assert random_crop(tmp_path / "photo.heic", 16, 3, generator(0, "crop")).shape == (3, 16, 16)
    assert "HEIF" not in Image.OPEN  # Pillow is as it was for everybody else


def test_heic_is_turned_once() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    assert read_image(heic(gradient(), exif=exif.tobytes())).size == (48, 64)


def test_heic_has_the_limits_of_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    content = heic(gradient())
    monkeypatch.setattr(module, "MAX_PIXELS", 3_000)
    with pytest.raises(BadImage, match=r"64x48 pixels are refused: an image has 3,000 at most"):
        read_image(content)


def test_cut_heic_files_are_refused_in_one_line() -> None:
    content = heic(gradient())
    for length in range(12, len(content), 97):
        with pytest.raises(BadImage, match=r"^[^\n]+$"):
            read_image(content[:length])


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), min_size=1, max_size=12))
def test_spoilt_heic_files_are_read_or_refused_in_one_line(changes: list[tuple[int, int]]) -> None:
    content = bytearray(heic(gradient()))
    for place, value in changes:
        content[place % len(content)] = value
    try:
        read_image(bytes(content))
    except BadImage as refused:
        assert "\n" not in str(refused)


def test_heic_without_its_reader_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "photo.heic").write_bytes(HEIC)
    for source in (HEIC, tmp_path / "photo.heic"):
        with pytest.raises(BadImage, match=r"pip install 'residua\[heic\]'"):
            read_image(source)
