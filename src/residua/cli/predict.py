"""``residua predict``."""

from __future__ import annotations

from collections import Counter
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

    A bad one among good ones gets a line on stderr, and the exit code is 1. What else lies in a folder is left out and
    counted.

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
    left_out: dict[str, str] = {}
    for path in _files(images, predictor.suffixes, left_out):
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
    if left_out:
        counts = Counter(left_out.values())
        note("left out: " + ", ".join(f"{count} ({why})" for why, count in sorted(counts.items())))
    if json:
        skipped = [{"image": image_name(path), "reason": why} for path, why in sorted(left_out.items())]
        say_json({"schema": 1, "predictions": predictions, "errors": errors, "skipped": skipped})
    return 1 if errors else 0


def _files(images: list[Path], suffixes: frozenset[str], left_out: dict[str, str]) -> Iterator[Path]:
    from residua.data.listing import files_below

    if not images:
        raise UsageError("name at least one image, or a folder of images")
    what = ".npy file" if ".npy" in suffixes else "image"
    for path in images:
        if not path.is_dir():
            yield path  # whatever is wrong with it is said when it is read
            continue
        others: dict[str, str] = {}
        inside = files_below(path, path, suffixes, what, others)
        if not inside:
            raise UsageError(f"{path} holds no {what}")
        left_out |= {str(path / name): why for name, why in others.items()}
        yield from (path / name for name in inside)
