import base64
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from residua.errors import ResiduaError
from residua.report.thumbnail import picture
from residua.runs.inspection import Inspection, read_inspection


def write(tmp_path, values):
    (tmp_path / "inspection.json").write_text(json.dumps(values))
    return tmp_path


def test_a_whole_inspection_is_read_as_it_was_written(tmp_path, make_inspection):
    values = make_inspection(["a", "b", "c"])
    there = {key: value for key, value in values.items() if value is not None}
    assert read_inspection(write(tmp_path, values)) == there
    assert set(values) == set(Inspection.__annotations__)


def test_no_file_and_null_parts_are_no_parts(tmp_path):
    assert read_inspection(tmp_path) == {}
    assert read_inspection(write(tmp_path, {"schema": 1, "cost": None, "other": 3})) == {"schema": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema must be 1"),
        ({"schema": True}, "schema must be 1"),
        ({"confusion": [[1, 2], [3]]}, "confusion must be square"),
        ({"confusion": [[1]], "classes": ["a", "b"]}, "confusion has 1 rows but there are 2 classes"),
        (
            {"gradient": [{"unit": "u", "kind": "dense", "norm": 1.0}]},
            r"gradient\[0\].kind must be one of 'residual', 'plain', not",
        ),
        (
            {"gradient": [{"unit": "u", "kind": [], "norm": 1.0}]},
            r"gradient\[0\].kind must be one of 'residual', 'plain', not",
        ),
        ({"cost": [{"part": "stem", "parameters": 3}]}, r"cost\[0\] lacks 'multiply_adds'"),
        ({"ece": -0.1}, "ece must be a number in"),
    ],
)
def test_damage_is_named_with_its_place(tmp_path, change, said):
    with pytest.raises(ResiduaError, match=f"inspection.json is damaged: {said}"):
        read_inspection(write(tmp_path, {"schema": 1, **change}))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_a_small_picture_keeps_its_pixels(make_png, mode):
    url, size = picture(make_png(3, 8, mode), "here")
    shown = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    original = Image.open(io.BytesIO(base64.b64decode(make_png(3, 8, mode))))
    assert size == (8, 8)
    assert shown.tobytes() == original.convert(shown.mode).tobytes()


def test_a_large_picture_becomes_a_thumbnail(make_png):
    url, size = picture(make_png(1, 224, "RGB"), "here")
    assert size == (224, 224)
    assert url.startswith("data:image/jpeg;base64,") and len(url) < 30_000


def test_base64_with_anything_between_is_refused(make_png):
    with pytest.raises(ResiduaError, match="not base64"):
        picture(make_png()[:40] + "<" + make_png()[40:], "here")


def jpeg():
    out = io.BytesIO()
    Image.new("L", (4, 4)).save(out, "jpeg")
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize(
    ("png", "said"),
    [
        ("<script>", "not base64"),
        ("é", "not base64"),
        ("", "not a whole PNG"),
        (base64.b64encode(b"<svg onload='x'/>").decode(), "not a whole PNG"),
        (jpeg(), "not a whole PNG"),
    ],
)
def test_what_is_no_png_is_refused(png, said):
    with pytest.raises(ResiduaError, match=f"^here: png is {said}"):
        picture(png, "here")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(make_png):
    bomb = bytearray(base64.b64decode(make_png()))
    bomb[16:24] = (5000).to_bytes(4, "big") * 2  # width and height of the header; its checksum is wrong now
    import zlib

    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    with pytest.raises(ResiduaError, match="5000 x 5000 pixels"):
        picture(base64.b64encode(bytes(bomb)).decode(), "here")


@given(st.data())
def test_a_png_cut_or_changed_anywhere_is_shown_or_refused(make_png, data):
    content = bytearray(base64.b64decode(make_png(0, 16)))
    cut = data.draw(st.integers(0, len(content)))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture(base64.b64encode(bytes(content[:cut])).decode(), "here")
    except ResiduaError as error:
        assert str(error).startswith("here: png ")
