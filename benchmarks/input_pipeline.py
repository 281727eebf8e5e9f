"""Images a second out of JPEG files, on one core.

From files to normalised batches of 32 at 224 px, in one thread: *training* takes a random part of each image (8 to
100 % of its area), resizes and mirrors it; *evaluation* the centre. *torchvision* and *timm* run the transforms that
their training scripts use, on Pillow's images. *residua* decodes no finer than the part that is wanted needs; *residua,
prepared* reads the same images from the tar shards of `residua data prepare` (256 px). *decoding alone* decodes what
residua decodes, and does nothing with it: the limit. Ratios are to the faster one of the peers. `psnr` compares what a
network gets at evaluation with the same from the fully decoded image.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.front_door import Result

SIZE, BATCH = 224, 32
LARGE = 2_000  # px of the longer side
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LIMIT = "decoding alone"
BESIDE = Path(__file__).parents[2] / "shared/data/imagenet-samples"
MADE = 48  # photos, where there are none
_QUICK = 24


def options(parser: argparse.ArgumentParser) -> None:
    """Which photos, and how thoroughly."""
    parser.add_argument(
        "--images", type=Path, help="a folder of JPEG files; by default the shared ones, else made ones"
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of every candidate")


def measure(asked: argparse.Namespace) -> Result:
    """Every set and task, candidates in turns."""
    import torch

    from residua.timing import compare

    torch.set_num_threads(1)
    skipped: list[str] = []
    peers = _peers(skipped)
    cases, quality = [], {}
    with tempfile.TemporaryDirectory() as place:
        for name, paths in _sets(asked, Path(place)):
            quality[name] = _psnr(paths)
            shards, prepared = _prepared(paths, Path(place) / "prepared" / name.split()[0])
            for task, candidates in _tasks(paths, shards, peers).items():
                print(f"input: {task}, {name}", file=sys.stderr, flush=True)
                found = compare(candidates, rounds=2 if asked.quick else asked.rounds, warmup=1)
                cases.append(_case(f"{task}, {name}", len(paths), found, peers) | prepared)
    first = next(
        case for case in cases if case["task"].startswith("training") and f"{LARGE:,}" in case["task"]
    )
    row = first["candidates"]["residua"]
    return Result(
        ratio=row.get("ratio"),
        spread=tuple(row["ratio_10_90"]) if "ratio" in row else None,
        limit_share=row["limit_share"],
        evidence={"cases": cases, "psnr": quality},
        skipped=skipped,
    )


def table(evidence: Mapping[str, Any]) -> list[str]:
    """A table a set and task."""
    lines = []
    for case in evidence["cases"]:
        lines += [
            f"**{case['task']}**, {case['images']} images, {case['rounds']} rounds in turns; preparing them: "
            f"{case['prepare_images_per_second']:,.0f} images/s, {case['prepared_share']:.0%} of their bytes:",
            "",
            "| candidate | images/s | ratio (10-90 %) | share of the limit |",
            "|---|---:|---:|---:|",
        ]
        for name, row in case["candidates"].items():
            ratio = (
                f"{row['ratio']:.2f} ({row['ratio_10_90'][0]:.2f}-{row['ratio_10_90'][1]:.2f})"
                if "ratio" in row
                else ""
            )
            share = f"{row['limit_share']:.0%}" if "limit_share" in row else ""
            lines.append(f"| {name} | {row['images_per_second']:,.1f} | {ratio} | {share} |")
        lines.append("")
    told = "; ".join(
        f"{name}: {found['median']:.1f} dB, the least {found['least']:.1f} dB"
        for name, found in evidence["psnr"].items()
    )
    return [*lines, f"PSNR of reduced against full decoding at evaluation: {told}."]


def _sets(asked: argparse.Namespace, place: Path) -> Iterator[tuple[str, list[Path]]]:
    """The photos as they are, and enlarged."""
    folder = asked.images or (BESIDE if BESIDE.is_dir() else _made(place / "made"))
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    paths = paths[: _QUICK if asked.quick else None]
    widths = [max(Image.open(path).size) for path in paths]
    yield f"{np.median(widths):.0f} px as they are", paths
    large = []
    for path in paths:
        with Image.open(path) as image:
            scale = LARGE / max(image.size)
            larger = image.convert("RGB").resize(
                [round(side * scale) for side in image.size], Image.Resampling.BICUBIC
            )
        large.append(place / "large" / f"{path.stem}.jpg")
        large[-1].parent.mkdir(exist_ok=True)
        larger.save(large[-1], quality=90)
    yield f"{LARGE:,} px enlarged", large


def _made(folder: Path) -> Path:
    """Photographs in nothing but their frequencies, where there are none."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(MADE):
        pixels = sum(
            np.asarray(
                Image.fromarray(random.integers(0, 256, (375 // cell, 500 // cell, 3), np.uint8)).resize(
                    (500, 375)
                ),
                float,
            )
            * weight
            for cell, weight in ((75, 0.6), (15, 0.3), (3, 0.1))
        )
        Image.fromarray(np.asarray(pixels).astype(np.uint8)).save(folder / f"{number:03}.jpg", quality=90)
    return folder


def _prepared(paths: Sequence[Path], out: Path) -> tuple[Callable[[int], bytes], dict[str, float]]:
    """The bytes of each image as ``residua data prepare`` stores it, and what preparing takes."""
    from residua.data.places import Here
    from residua.data.prepared import prepare
    from residua.data.tar_store import TarImages, image_called, index_of

    classes = out.with_name(f"{out.name}-folders")
    for number, path in enumerate(paths):
        folder = classes / "train" / f"class {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06}.jpg").symlink_to(path.absolute())
    began = time.perf_counter()
    found = prepare(classes, out, threads=1)
    seconds = time.perf_counter() - began
    place = Here(out)
    shard = place.files(".tar")[0]
    images = TarImages(place, {shard: index_of(place, shard, None)})
    share = found.bytes / sum(path.stat().st_size for path in paths)
    figures = {"prepare_images_per_second": len(paths) / seconds, "prepared_share": share}
    return lambda number: images.contents(image_called(shard, number, "")), figures


def _tasks(
    paths: Sequence[Path], shard: Callable[[int], bytes], peers: Mapping[str, Any]
) -> dict[str, dict[str, Callable[[], object]]]:
    from residua.data.image import decode, decoded_size, open_image, preprocess, random_crop, read_image

    def cropped(source: Any, number: int) -> np.ndarray:
        return random_crop(source, SIZE, 3, np.random.default_rng(number))

    def centred(source: Any, number: int) -> np.ndarray:
        return preprocess(read_image(source, at_least=decoded_size(SIZE)), SIZE, 3)

    def decoded(number: int, draw: bool) -> None:
        from residua.data.random_part import random_part

        with open_image(paths[number]) as header:
            needed = decoded_size(SIZE)
            if draw:
                *_, w, h = random_part(*header.size, np.random.default_rng(number))
                needed = min(min(header.size), -(-SIZE * min(header.size) // min(w, h)))
            decode(header, "image", needed)

    def own(
        read: Callable[[Any, int], np.ndarray], flip: bool, source: Callable[[int], Any]
    ) -> Callable[[], object]:
        return lambda: [_batch([read(source(i), i) for i in batch], flip) for batch in _batches(len(paths))]

    def theirs(transform: Callable[[Any], Any]) -> Callable[[], object]:
        import torch

        def read(number: int) -> Any:
            with Image.open(paths[number]) as image:
                return transform(image.convert("RGB"))

        return lambda: [torch.stack([read(i) for i in batch]) for batch in _batches(len(paths))]

    tasks = {}
    for task, read, draw in (("training", cropped, True), ("evaluation", centred, False)):
        tasks[task] = {
            **{name: theirs(made[task]) for name, made in peers.items()},
            "residua": own(read, draw, lambda i: paths[i]),
            "residua, prepared": own(read, draw, shard),
            LIMIT: lambda draw=draw: [decoded(i, draw) for i in range(len(paths))],
        }
    return tasks


def _batches(count: int) -> Iterator[range]:
    return (range(start, min(start + BATCH, count)) for start in range(0, count, BATCH))


def _batch(pixels: Sequence[np.ndarray], flip: bool) -> Any:
    import torch

    from residua.data import crop_flip, normalize

    images = torch.from_numpy(np.stack([each.transpose(1, 2, 0) for each in pixels])).permute(0, 3, 1, 2)
    return normalize(crop_flip(images, pad=0, flip=flip, seed=0, step=0), MEAN, STD)


def _peers(skipped: list[str]) -> dict[str, dict[str, Any]]:
    """The transforms of those that can be imported, by task."""
    from benchmarks.peers import import_timm, import_torchvision

    found: dict[str, dict[str, Any]] = {}
    try:
        import_torchvision()
        from torchvision import transforms as t  # pyright: ignore[reportMissingImports]

        end = [t.ToTensor(), t.Normalize(MEAN, STD)]
        found["torchvision"] = {
            "training": t.Compose([t.RandomResizedCrop(SIZE), t.RandomHorizontalFlip(), *end]),
            "evaluation": t.Compose([t.Resize(256), t.CenterCrop(SIZE), *end]),
        }
        import_timm()
        from timm.data.transforms_factory import create_transform  # pyright: ignore[reportMissingImports]

        plain = {"color_jitter": None, "auto_augment": None, "interpolation": "bilinear"}
        found["timm"] = {
            "training": create_transform(SIZE, is_training=True, **plain),
            "evaluation": create_transform(SIZE, is_training=False, interpolation="bilinear"),
        }
    except ImportError as error:
        skipped.append(f"{error.name}: not installed.")
    return found


def _case(task: str, images: int, found: Any, peers: Mapping[str, Any]) -> dict[str, Any]:
    from residua.timing import spread

    best = min(peers, key=found.median, default=None)
    rows = {}
    for name, timing in found.timings.items():
        row: dict[str, Any] = {
            "images_per_second": images / found.median(name),
            "seconds": list(timing.seconds),
        }
        if best is not None and name not in (best, LIMIT):
            pairs = zip(found.timings[best].seconds, timing.seconds, strict=True)
            ratio = spread([base / own for base, own in pairs], 0.1)
            row |= {"ratio": ratio.median, "ratio_10_90": [ratio.low, ratio.high]}
        if name == "residua":
            row["limit_share"] = found.median(LIMIT) / found.median(name)
        rows[name] = row
    return {
        "task": task,
        "images": images,
        "rounds": len(found.timings[LIMIT].seconds),
        "baseline": best,
        "candidates": rows,
    }


def _psnr(paths: Sequence[Path]) -> dict[str, float]:
    """Decibels between what a network gets of the reduced and of the full image."""
    from residua.data.image import decoded_size, preprocess, read_image

    found = []
    for path in paths:
        one, other = (
            preprocess(read_image(path, at_least=least), SIZE, 3).astype(float)
            for least in (decoded_size(SIZE), None)
        )
        found.append(10 * np.log10(255**2 / max(float(np.mean((one - other) ** 2)), 1e-9)))
    return {"median": float(np.median(found)), "least": float(np.min(found))}
