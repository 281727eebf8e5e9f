"""Frames of videos: sampled, named by their time, and refused in a line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.deploy import Predictor
from residua.deploy.video import frames
from residua.errors import ResiduaError

av = pytest.importorskip("av", reason="needs the extra video")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds at 8 frames a second; a frame is as bright as its number times 15."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(16):
            grey = np.full((48, 64, 3), 15 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


def brightness(frame):
    return float(np.asarray(frame).mean())


def test_frames_are_sampled_by_time(clip):
    found = [(seconds, brightness(frame)) for seconds, frame in frames(clip, 0.5)]
    assert [seconds for seconds, _ in found] == [0, 0.5, 1, 1.5]
    assert [level for _, level in found] == pytest.approx([0, 60, 120, 180], abs=4)
    assert len(list(frames(clip, 0))) == 16
    assert len(list(frames(clip, 99))) == 1


def test_a_video_is_answered_frame_by_frame(weights, clip):
    predictor = Predictor(weights()[0])
    answers = list(predictor.stream([clip, np.zeros((8, 8), np.uint8)], every=1))
    assert [answer.name for answer in answers] == [f"{clip} at 0.00 s", f"{clip} at 1.00 s", "image"]
    expected = predictor.predict([answer.picture for answer in answers])
    assert [answer.top for answer in answers] == expected


def test_what_is_no_video_does_not_stop_the_others(weights, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (tmp_path / "list.avi").write_text(
        "#EXTM3U\nhttp://127.0.0.1:9/x.ts\n"
    )  # a list of addresses is not followed
    (tmp_path / "folder.mkv").mkdir()
    files = [tmp_path / "a.mp4", tmp_path / "list.avi", tmp_path / "none.mov", np.zeros((8, 8), np.uint8)]
    answers = list(Predictor(weights()[0]).stream(files))
    assert [answer.error is None for answer in answers] == [False, False, False, True]
    assert "No such file" in answers[2].error


def test_a_video_without_a_decoder_is_a_line(clip, tmp_path):
    path = tmp_path / "unknown.mp4"
    path.write_bytes(clip.read_bytes().replace(b"mp4v", b"zzzz").replace(b"esds", b"zzzz"))
    with pytest.raises(ResiduaError, match="cannot be decoded"):
        list(frames(path, 1))


@settings(max_examples=25)
@given(st.data())
def test_damaged_videos_are_a_line(clip, tmp_path_factory, data):
    whole = clip.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    at = data.draw(st.integers(0, len(whole)))
    damaged = whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + 8 :]
    path = tmp_path_factory.getbasetemp() / "damaged.mp4"
    path.write_bytes(damaged[:cut])
    try:
        for seconds, frame in frames(path, 0):
            assert seconds == seconds
            assert frame.size[0] > 0
    except ResiduaError as error:
        assert "\n" not in str(error)
