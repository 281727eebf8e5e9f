"""Weights that other libraries publish, by name: downloaded once to torch's own cache, verified by checksum.

The publishers state only the beginning of a SHA-256, in the name of the file. The whole of it is known for some of them
here, and written down beside the others when they are first downloaded; from then on no other file is taken.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch

from residua.convert.layouts import written
from residua.download import ProgressLine, Remote, download, web_address
from residua.errors import ResiduaError, UsageError, nearest
from residua.files import write_json
from residua.spec.check import Constraint
from residua.spec.stored import read_stored

_log = logging.getLogger("residua")
MIRROR = "RESIDUA_MIRROR"  # environment: the web address of a folder that holds the files
PINS = "residua-sha256.json"  # beside the files: the SHA-256 of each as it was first downloaded
LARGEST = 1 << 30  # bytes; the largest published file has 0.6 GB
Sha256 = Annotated[
    str, Constraint("the SHA-256 of a file", lambda text: re.fullmatch("[0-9a-f]{64}", text) is not None)
]
_SITES = {
    "torchvision": "https://download.pytorch.org/models",
    "akamaster": "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models",
}


@dataclass(frozen=True)
class HubFile:
    """One published file; its name carries the beginning of its SHA-256 after the last hyphen.

    ``top1`` is the accuracy that the publisher states, in percent, of the centre of an image whose shorter side has
    ``resize`` pixels.
    """

    file: str
    top1: float
    weights: str = "IMAGENET1K_V1"
    resize: int = 256
    dataset: str = "ImageNet-1K"
    sha256: str = ""  # the whole of it, where it is known

    @property
    def stated(self) -> str:
        """The beginning of its SHA-256 that the name states."""
        return Path(self.file).stem.rpartition("-")[2]


def _v2(file: str, top1: float) -> HubFile:
    return HubFile(file, top1, "IMAGENET1K_V2", resize=232)


def _cifar(file: str, top1: float, sha256: str = "") -> HubFile:
    return HubFile(file, top1, "CIFAR10", resize=32, dataset="CIFAR-10", sha256=sha256)


# As torchvision's enumerations of weights and akamaster's README state them; the first of a name is its default.
TABLE: dict[str, dict[str, tuple[HubFile, ...]]] = {
    "torchvision": {
        "resnet18": (HubFile("resnet18-f37072fd.pth", 69.758),),
        "resnet34": (HubFile("resnet34-b627a593.pth", 73.314),),
        "resnet50": (_v2("resnet50-11ad3fa6.pth", 80.858), HubFile("resnet50-0676ba61.pth", 76.130)),
        "resnet101": (_v2("resnet101-cd907fc2.pth", 81.886), HubFile("resnet101-63fe2227.pth", 77.374)),
        "resnet152": (_v2("resnet152-f82ba261.pth", 82.284), HubFile("resnet152-394f9c45.pth", 78.312)),
        "resnext50_32x4d": (
            _v2("resnext50_32x4d-1a0047aa.pth", 81.198),
            HubFile("resnext50_32x4d-7cdf4587.pth", 77.618),
        ),
        "resnext101_32x8d": (
            _v2("resnext101_32x8d-110c445d.pth", 82.834),
            HubFile("resnext101_32x8d-8ba56ff5.pth", 79.312),
        ),
        "resnext101_64x4d": (HubFile("resnext101_64x4d-173b62eb.pth", 83.246, resize=232),),
        "wide_resnet50_2": (
            _v2("wide_resnet50_2-9ba9bcbe.pth", 81.602),
            HubFile("wide_resnet50_2-95faca4d.pth", 78.468),
        ),
        "wide_resnet101_2": (
            _v2("wide_resnet101_2-d733dc28.pth", 82.510),
            HubFile("wide_resnet101_2-32ee1156.pth", 78.848),
        ),
        "densenet121": (HubFile("densenet121-a639ec97.pth", 74.434),),
        "densenet161": (HubFile("densenet161-8d451a50.pth", 77.138),),
        "densenet169": (HubFile("densenet169-b2777c0a.pth", 75.600),),
        "densenet201": (HubFile("densenet201-c1103571.pth", 76.896),),
        "googlenet": (HubFile("googlenet-1378be20.pth", 69.778),),
        "vgg11": (HubFile("vgg11-8a719046.pth", 69.020),),
        "vgg11_bn": (HubFile("vgg11_bn-6002323d.pth", 70.370),),
        "vgg13": (HubFile("vgg13-19584684.pth", 69.928),),
        "vgg13_bn": (HubFile("vgg13_bn-abd245e5.pth", 71.586),),
        "vgg16": (HubFile("vgg16-397923af.pth", 71.592),),
        "vgg16_bn": (HubFile("vgg16_bn-6c64b313.pth", 73.360),),
        "vgg19": (HubFile("vgg19-dcbb9e9d.pth", 72.376),),
        "vgg19_bn": (HubFile("vgg19_bn-c79401a0.pth", 74.218),),
        "vit_b_16": (HubFile("vit_b_16-c867db91.pth", 81.072),),
        "vit_b_32": (HubFile("vit_b_32-d86f8d99.pth", 75.912),),
        "vit_l_16": (HubFile("vit_l_16-852ce7e3.pth", 79.662, resize=242),),
        "vit_l_32": (HubFile("vit_l_32-c7638314.pth", 76.972),),
        "r3d_18": (HubFile("r3d_18-b3b3357e.pth", 63.200, "KINETICS400_V1", 128, "Kinetics-400"),),
    },
    "akamaster": {
        "resnet20": (
            _cifar(
                "resnet20-12fca82f.th",
                91.73,
                "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
            ),
        ),
        "resnet32": (_cifar("resnet32-d509ac18.th", 92.63),),
        "resnet44": (_cifar("resnet44-014dd654.th", 93.10),),
        "resnet56": (
            _cifar(
                "resnet56-4bfd9763.th",
                93.39,
                "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
            ),
        ),
        "resnet110": (_cifar("resnet110-1d1ed7c2.th", 93.68),),
        "resnet1202": (_cifar("resnet1202-f3b1deed.th", 93.82),),
    },
}


def is_published(source: str | Path) -> bool:
    """Whether a source is ``LIBRARY:NAME``, and no file of such a name."""
    return bool(re.match(rf"({'|'.join(written())}):", str(source))) and not Path(source).exists()


def fetch_published(name: str) -> Path:
    """The file of the weights called ``torchvision:resnet50`` or ``torchvision:resnet50@IMAGENET1K_V1``.

    It lies in torch's cache (``$TORCH_HOME/hub/checkpoints``), and is downloaded if it is not there; its checksum is
    verified in any case, the whole of it where it is known or the file was here before.

    Raises UsageError for an unknown name or a mirror that is no web address, ResiduaError if the file cannot be had,
    is not the official one, or not the one of its first download.
    """
    library, found = _find(name)
    site = web_address(os.environ.get(MIRROR) or _SITES[library], MIRROR)
    target = Path(torch.hub.get_dir()) / "checkpoints" / found.file
    pins = target.with_name(PINS)
    pinned = _read_pins(pins).get(found.file)
    noted = pinned and not found.sha256
    official = f"the file of its first download, noted in {pins}" if noted else f"the official {found.file}"
    remote = Remote(
        url=f"{site.rstrip('/')}/{found.file}",
        algorithm="sha256",
        digest=found.sha256 or pinned or found.stated,
        official=official,
        largest=LARGEST,
        elsewhere=f"set {MIRROR} to the web address of a folder that holds it",
    )
    download(remote, target, ProgressLine())
    if not (found.sha256 or pinned):
        _pin(target, pins)
    return target


def _pin(path: Path, pins: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        write_json(pins, _read_pins(pins) | {path.name: digest})
    except ResiduaError as error:  # a folder that others keep, and that this user only reads
        _log.warning("the SHA-256 of %s is not noted: %s", path, error)


def _read_pins(path: Path) -> dict[str, str]:
    """The SHA-256 of each file that was downloaded, as it was at the first time."""
    try:
        return read_stored(path, dict[str, Sha256]) if path.exists() else {}
    except ResiduaError as error:
        raise ResiduaError(f"{error}; remove it to note the SHA-256 of files anew") from error


def published_about(path: Path) -> dict[str, Any]:
    """What the publisher states of a file of his, by its name with the checksum; empty for any other file."""
    for table in TABLE.values():
        for kinds in table.values():
            for one in kinds:
                if one.file == path.name:
                    about = {
                        "weights": one.weights,
                        "dataset": one.dataset,
                        "top1": one.top1,
                        "resize": one.resize,
                    }
                    return {"published": about}
    return {}


def _find(name: str) -> tuple[str, HubFile]:
    library, _, rest = name.partition(":")
    model, at, wanted = rest.partition("@")
    if library not in TABLE:
        raise UsageError(
            f"{library}'s weights have no names here, those of {' and '.join(TABLE)} have: download the file "
            "yourself, and name it"
        )
    table = TABLE[library]
    if model not in table:
        raise UsageError(f"no weights {model!r} of {library} are known here{nearest(model, table)}")
    for one in table[model]:
        if not at or one.weights == wanted:
            return library, one
    kinds = [one.weights for one in table[model]]
    raise UsageError(f"{library}:{model} has no weights {wanted!r}{nearest(wanted, kinds)}")
