"""Weights that other libraries publish, by name: downloaded once to torch's own cache, verified by checksum."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from residua.convert.detect import read_foreign
from residua.convert.layouts import written
from residua.download import ProgressLine, Remote, download
from residua.errors import UsageError, nearest
from residua.models.weights import Weights

MIRROR = "RESIDUA_MIRROR"  # environment: the web address of a folder that holds the files
LARGEST = 4 << 30  # bytes; the largest published file has 2.5 GB
_SITES = {
    "torchvision": "https://download.pytorch.org/models",
    "akamaster": "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models",
}


@dataclass(frozen=True)
class Published:
    """One published file; its name carries the beginning of its SHA-256 after the last hyphen.

    ``top1`` is the accuracy that the publisher states, in percent (one crop); ``crop`` and ``resize`` are the pixels
    that it was measured with: the shorter side is resized, then the centre cut out.
    """

    file: str
    top1: float
    weights: str = "IMAGENET1K_V1"
    crop: int = 224
    resize: int = 256
    dataset: str = "ImageNet-1K"


def _v2(file: str, top1: float) -> Published:
    return Published(file, top1, "IMAGENET1K_V2", resize=232)


def _cifar(file: str, error: float) -> Published:
    return Published(file, round(100 - error, 2), "README", crop=32, resize=32, dataset="CIFAR-10")


# Published by torchvision (its weights enumerations) and akamaster (its README); the first of a name is its default.
TABLE: dict[str, dict[str, tuple[Published, ...]]] = {
    "torchvision": {
        "resnet18": (Published("resnet18-f37072fd.pth", 69.758),),
        "resnet34": (Published("resnet34-b627a593.pth", 73.314),),
        "resnet50": (_v2("resnet50-11ad3fa6.pth", 80.858), Published("resnet50-0676ba61.pth", 76.130)),
        "resnet101": (_v2("resnet101-cd907fc2.pth", 81.886), Published("resnet101-63fe2227.pth", 77.374)),
        "resnet152": (_v2("resnet152-f82ba261.pth", 82.284), Published("resnet152-394f9c45.pth", 78.312)),
    },
    "akamaster": {
        "resnet20": (_cifar("resnet20-12fca82f.th", 8.27),),
        "resnet32": (_cifar("resnet32-d509ac18.th", 7.37),),
        "resnet44": (_cifar("resnet44-014dd654.th", 6.90),),
        "resnet56": (_cifar("resnet56-4bfd9763.th", 6.61),),
        "resnet110": (_cifar("resnet110-1d1ed7c2.th", 6.32),),
        "resnet1202": (_cifar("resnet1202-f3b1deed.th", 6.18),),
    },
}


def is_published(source: str | Path) -> bool:
    """Whether a source is ``LIBRARY:NAME``, and no file of such a name."""
    known = "|".join(written())
    return bool(re.match(rf"({known}):", str(source))) and not Path(source).exists()


def load_published(name: str, **known: Any) -> Weights:
    """The published weights called ``torchvision:resnet50`` or ``torchvision:resnet50@IMAGENET1K_V1``.

    The file lies in torch's cache (``$TORCH_HOME/hub/checkpoints``) and is downloaded if it is not there; nothing is
    unpickled. ``Weights.data`` also gets ``"published"``: what the publisher measured, and how.

    Raises UsageError for an unknown name, ResiduaError if the file cannot be had or is not the official one.
    """
    library, found = _find(name)
    digest = Path(found.file).stem.rpartition("-")[2]
    mirror = os.environ.get(MIRROR) or _SITES[library]
    remote = Remote(
        url=f"{mirror.rstrip('/')}/{found.file}",
        algorithm="sha256",
        digest=digest,
        official=f"the official {found.file}",
        largest=LARGEST,
        elsewhere=f"set {MIRROR} to the web address of a folder that holds it",
    )
    path = download(remote, Path(torch.hub.get_dir()) / "checkpoints" / found.file, ProgressLine())
    weights = read_foreign(path, **known)
    about = {"top1": found.top1, "dataset": found.dataset, "weights": found.weights, "resize": found.resize}
    data: dict[str, Any] = {**weights.data, "published": about}
    if "shape" in data:
        data["shape"] = [*data["shape"][:-2], found.crop, found.crop]
    return Weights(weights.tensors, weights.spec, data)


def _find(name: str) -> tuple[str, Published]:
    library, _, rest = name.partition(":")
    model, at, wanted = rest.partition("@")
    if library not in TABLE:
        raise UsageError(
            f"{library}'s weights have no names here: download the file, and name it; known are those of "
            f"{' and '.join(TABLE)}"
        )
    table = TABLE[library]
    if model not in table:
        raise UsageError(
            f"{library} publishes no weights of {model!r} that are known here{nearest(model, table)}"
        )
    for published in table[model]:
        if not at or published.weights == wanted:
            return library, published
    kinds = [published.weights for published in table[model]]
    raise UsageError(f"{library}:{model} has no weights {wanted!r}{nearest(wanted, kinds)}")
