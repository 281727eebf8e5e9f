"""Every set of trained weights that has a name, and whether it is on this machine. Imports no torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from residua.weights import bundled
from residua.weights.published_files import TABLE, HubFile

_NETWORKS = {"akamaster": "cifar_{}"}  # what a library's networks are called here, where not as there


@dataclass(frozen=True, kw_only=True)
class NamedWeights:
    """Weights that ``load_weights`` takes by name."""

    name: str  # "torchvision:resnet50"
    network: str  # its name in the registry
    dataset: str  # that they were trained on
    top1: float | None  # percent, as the publisher states it on the data set's own test images
    path: Path  # where they lie once they are here

    @property
    def here(self) -> bool:
        """Whether they can be used without a network connection."""
        return self.path.is_file()


def named_weights() -> Iterator[NamedWeights]:
    """All of them: first what comes with the package, then by library what its default is and what there is beside."""
    yield NamedWeights(
        name=f"{bundled.NAME}:{bundled.NETWORK}",
        network=bundled.NETWORK,
        dataset="CIFAR-10 as JPEG",
        top1=None,  # measured on JPEG copies of the test images: comparable with nothing published
        path=bundled.FILE,
    )
    for library, table in TABLE.items():
        for model, kinds in table.items():
            for file in kinds:
                yield NamedWeights(
                    name=f"{library}:{model}" + ("" if file is kinds[0] else f"@{file.weights}"),
                    network=_NETWORKS.get(library, "{}").format(model),
                    dataset=file.dataset,
                    top1=file.top1,
                    path=cached(file),
                )


def cached(file: HubFile) -> Path:
    """Where a published file lies once it is downloaded: in the folder of ``torch.hub``, told without importing it."""
    torch = sys.modules.get("torch")
    if torch is not None:
        hub = Path(torch.hub.get_dir())
    else:
        caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        hub = Path(os.environ.get("TORCH_HOME", f"{caches}/torch")).expanduser() / "hub"
    return hub / "checkpoints" / file.file
