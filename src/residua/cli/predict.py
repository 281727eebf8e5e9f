"""``residua predict``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from residua.cli.say import complain, note, say, say_json
from residua.errors import UsageError

# what the answers about an image are in JSON and in print, by what the network answers
_TABLES: dict[str, Callable[[list[tuple[str, float]]], dict[str, Any]]] = {
    "classes": lambda found: {"top": [{"label": name, "probability": value} for name, value in found]},
    "numbers": lambda found: {"values": dict(found)},
}
_FORMATS = {"classes": ".1%", "numbers": ".4g"}


def predict(
    source: str,
    images: list[Path],
    /,
    *,
    top_k: Annotated[int, Parameter(name=["--top-k", "-k"])] = 5,
    device: str = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what is on images or in volumes, or their numbers.

    A bad one among good ones gets a line on stderr, and the exit code is 1.

    Args:
        source: a run folder, its name under runs/, latest, a weight file or a peer's checkpoint.
        images: image files, for networks of clips and volumes .npy files, or folders of them, searched to any depth.
        top_k: how many classes to name.
        device: auto, cpu, cuda or cuda:N.
        json: print one JSON object.

    """
    from residua.data.image import BadImage, image_name
    from residua.deploy import Predictor

    if top_k < 1:
        raise UsageError(f"--top-k must be at least 1, not {top_k}")
    predictor = Predictor(source, device=device)
    for text in predictor.notes:
        note(text)
    predictions, errors = [], []
    for path in _files(images, predictor.suffixes):
        try:
            found = predictor(path, top_k)
        except BadImage as error:
            errors.append({"image": image_name(path), "error": error.reason})
            complain(error)
            continue
        table, format = _TABLES[predictor.answers], _FORMATS[predictor.answers]
        predictions.append({"image": image_name(path), **table(found)})
        if not json:
            named = ", ".join(f"{name} {value:{format}}" for name, value in found)
            say(f"{image_name(path)}: {named}")
    if json:
        say_json({"schema": 1, "predictions": predictions, "errors": errors})
    return 1 if errors else 0


def _files(images: list[Path], suffixes: frozenset[str]) -> Iterator[Path]:
    if not images:
        raise UsageError("name at least one image, or a folder of images")
    for path in images:
        if not path.is_dir():
            yield path  # whatever is wrong with it is said when it is read
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
        if not inside:
            raise UsageError(f"{path} holds no {'.npy file' if '.npy' in suffixes else 'image'}")
        yield from inside
