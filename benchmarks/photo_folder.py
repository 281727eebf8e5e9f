"""A folder as it comes off somebody's phone: 300 mixed photos in class folders, odd and broken files among them.

It is made of the class folders of any tree of JPEG files (``--source``; CIFAR-10 as JPEG files gives photos that can be
learnt), else of the bundled digits: four classes of some seventy photos, one class of one photo and an empty one. The
photos have 32 to 200 px and are JPEG (some grey, CMYK, EXIF-turned or truncated), PNG (with alpha, 16 bits), WebP and,
with pillow-heif, HEIC; some lie there twice, and two lie in two classes. ``--labels random`` puts every photo into any
of the four classes: the hopeless folder, of which nothing can be learnt. The same seed makes the same photos.

    python -m benchmarks.photo_folder photos --source path/to/cifar10-jpeg/test
    python -m benchmarks.photo_folder hopeless --source path/to/cifar10-jpeg/test --labels random
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

CLASSES, PHOTOS = 4, 300
SIDES = (32, 200)  # px
ASPECTS = (3 / 4, 1, 4 / 3)
AGAIN = 12  # photos that lie in their class a second time, smaller and compressed anew
SHARED = 2  # photos that lie in two classes
Labelled = tuple[Image.Image, str]
Write = Callable[[Image.Image, Path], None]


def _jpeg(image: Image.Image, path: Path) -> None:
    image.save(path.with_suffix(".jpg"), quality=90)


def _turned(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be shown, it is turned by 90 degrees clockwise
    image.transpose(Image.Transpose.ROTATE_90).save(path.with_suffix(".JPG"), quality=90, exif=exif)


def _alpha(image: Image.Image, path: Path) -> None:
    round_off = Image.radial_gradient("L").resize(image.size).point([255 * (far < 200) for far in range(256)])
    image.putalpha(round_off)
    image.save(path.with_suffix(".png"))


def _deep(image: Image.Image, path: Path) -> None:
    levels = np.asarray(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(levels).save(path.with_suffix(".png"))


def _truncated(image: Image.Image, path: Path) -> None:
    _jpeg(image, path)
    content = path.with_suffix(".jpg").read_bytes()
    path.with_suffix(".jpg").write_bytes(content[: len(content) // 2])


def _heic(image: Image.Image, path: Path) -> None:
    image.save(path.with_suffix(".heic"), quality=90)


# how the photos are written, and how many of them so; the rest are plain JPEG files
FORMS: dict[str, tuple[Write, int]] = {
    "PNG with alpha": (_alpha, 24),
    "CMYK JPEG": (lambda image, path: _jpeg(image.convert("CMYK"), path), 12),
    "EXIF-turned JPEG": (_turned, 24),
    "grey JPEG": (lambda image, path: _jpeg(image.convert("L"), path), 12),
    "16-bit PNG": (_deep, 8),
    "WebP": (lambda image, path: image.save(path.with_suffix(".webp"), quality=90), 16),
    "HEIC": (_heic, 24),
    "truncated JPEG": (_truncated, 4),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the folder that the arguments describe, and say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photo_folder", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--source", type=Path, help="class folders of JPEG files; by default the bundled digits"
    )
    parser.add_argument("--labels", choices=("true", "random"), default="true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--overwrite", action="store_true")
    given = parser.parse_args(arguments)
    if given.out.exists() and not given.overwrite:
        parser.error(f"{given.out} exists; --overwrite replaces it")
    shutil.rmtree(given.out, ignore_errors=True)
    for what, count in make_folder(given.out, given.source, given.labels == "random", given.seed).items():
        print(f"{count:4} {what}")


def make_folder(out: Path, source: Path | None, hopeless: bool, seed: int) -> Counter[str]:
    """Make the folder ``out`` of photos, and return how many files of each kind it holds."""
    random = np.random.default_rng(seed)
    photos = list(_photos(source, random))
    classes = sorted({name for _, name in photos[:-1]})
    if hopeless:
        photos[:-1] = [(image, str(random.choice(classes))) for image, _ in photos[:-1]]
    forms = _forms(random, len(photos) - 1)
    held: Counter[str] = Counter()
    for number, ((image, name), form) in enumerate(zip(photos, [*forms, "plain JPEG"], strict=True)):
        write = FORMS[form][0] if form in FORMS else _jpeg
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        write(_as_taken(image, random), folder / f"IMG_{number:04}")
        held[form] += 1
    plain = [int(place) for place in random.permutation(len(forms)) if forms[place] == "plain JPEG"]
    for number in plain[:AGAIN]:
        path = out / photos[number][1] / f"IMG_{number:04}.jpg"
        with Image.open(path) as image:
            smaller = image.resize([max(side * 3 // 4, 24) for side in image.size])
        smaller.save(path.with_name(f"IMG_{number:04} (1).jpg"), quality=70)
    for number in plain[AGAIN : AGAIN + SHARED]:
        name = photos[number][1]
        other = classes[(classes.index(name) + 1) % len(classes)]
        shutil.copy(out / name / f"IMG_{number:04}.jpg", out / other / f"copy_{number:04}.jpg")
    (out / classes[0] / "IMG_9000.jpg").touch()
    (out / classes[1] / "IMG_9001.jpg").write_text("a note that is no photo\n", encoding="utf-8")
    (out / classes[1] / "Thumbs.db").write_bytes(bytes(64))
    (out / "to sort").mkdir()
    return held + Counter(
        {
            "photos that lie there twice": AGAIN,
            "photos that lie in two classes": SHARED,
            "empty file": 1,
            "text called .jpg": 1,
            "file that is no image": 1,
            "empty class folder": 1,
        }
    )


def _photos(source: Path | None, random: np.random.Generator) -> Iterator[Labelled]:
    """``PHOTOS`` images of ``CLASSES`` classes in turn; the last one is the only one of a class of its own."""
    found = _of_digits() if source is None else _of_tree(source)
    names = sorted(found)
    if len(names) <= CLASSES:
        sys.exit(f"{source} has {len(names)} class folders of JPEG files; {CLASSES + 1} are needed")
    chosen = names[:: max(1, (len(names) - 1) // (CLASSES - 1))][
        :CLASSES
    ]  # far from each other: easier to tell
    alone = next(name for name in names if name not in chosen)
    each = (PHOTOS - AGAIN - SHARED - 1) // CLASSES
    for name in [*chosen, alone]:
        wanted = 1 if name == alone else each
        if len(found[name]) < wanted:
            sys.exit(f"{name} has {len(found[name])} images; {wanted} are needed")
        for place in random.permutation(len(found[name]))[:wanted]:
            yield found[name][place](), name


def _of_digits() -> dict[str, list[Callable[[], Image.Image]]]:
    from residua.data import load_data

    data = load_data("digits", workers=1)
    images, labels = data.train.read(np.arange(len(data.train)))
    found: dict[str, list[Callable[[], Image.Image]]] = {}
    for image, label in zip(images.numpy()[:, 0], labels.tolist(), strict=True):
        digit = Image.fromarray(image).convert("RGB")
        found.setdefault(f"digit {label}", []).append(digit.copy)
    return found


def _of_tree(source: Path) -> dict[str, list[Callable[[], Image.Image]]]:
    def opener(path: Path) -> Callable[[], Image.Image]:
        return lambda: Image.open(path).convert("RGB")

    folders = [folder for folder in sorted(source.iterdir()) if folder.is_dir()]
    return {
        folder.name: [opener(path) for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".jpeg")]
        for folder in folders
    }


def _forms(random: np.random.Generator, count: int) -> list[str]:
    """How each photo is written, in any order."""
    known = dict(FORMS)
    if find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    else:
        del known["HEIC"]
        print("no HEIC files: pillow-heif is not installed", file=sys.stderr)
    forms = [name for name, (_, wanted) in known.items() for _ in range(wanted)]
    forms += ["plain JPEG"] * (count - len(forms))
    return [forms[place] for place in random.permutation(count)]


def _as_taken(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """The image at a size and an aspect of its own."""
    longer = int(random.integers(SIDES[0], SIDES[1] + 1))
    aspect = float(random.choice(ASPECTS))
    size = (longer, round(longer / aspect)) if aspect >= 1 else (round(longer * aspect), longer)
    return image.resize([max(side, SIDES[0]) for side in size], Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
