"""Frames of a video file, through PyAV (the extra ``video``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from residua.data.image import MAX_DECODED, MAX_SIDE, BadImage, image_name
from residua.errors import ResiduaError

# The demuxer of each suffix. None is found out from the contents: a list of addresses would be followed.
VIDEOS = {
    **dict.fromkeys((".mp4", ".m4v", ".mov"), "mov"),
    **dict.fromkeys((".mkv", ".webm"), "matroska"),
    **dict.fromkeys((".mpg", ".mpeg"), "mpeg"),
    ".avi": "avi",
}


def frames(path: Path, every: float) -> Iterator[tuple[float, Image.Image]]:
    """The first frame and one for each further ``every`` seconds (0: all of them), upright, with its time in seconds.

    Raises BadImage for what cannot be read, also after some frames; ResiduaError without PyAV.
    """
    try:
        import av
    except ImportError as error:
        raise ResiduaError('videos need PyAV: pip install "residua[video]"') from error
    name = image_name(path)
    try:
        with path.open("rb") as file, av.open(file, "r", format=VIDEOS[path.suffix.lower()]) as container:
            if not container.streams.video:
                raise BadImage(name, "it holds no video")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise BadImage(name, "its video is of a kind that cannot be decoded")
            _check_size(name, stream.codec_context.width, stream.codec_context.height)
            stream.thread_type = "AUTO"
            due = 0.0
            for frame in container.decode(stream):
                seconds = float(frame.time or 0.0)
                if seconds >= due or not every:
                    _check_size(name, frame.width, frame.height)
                    yield seconds, _upright(frame)
                    due = seconds + every
    except BadImage:
        raise
    except Exception as error:  # decoders raise almost anything for a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadImage(name, " ".join(reason.split())) from error


def _check_size(name: str, width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE or width * height > MAX_DECODED:
        raise BadImage(name, f"frames of {width}x{height} pixels are refused: {MAX_DECODED:,} pixels at most")


def _upright(frame: Any) -> Image.Image:
    image: Image.Image = frame.to_image()
    return image.rotate(frame.rotation, expand=True) if frame.rotation % 360 else image
