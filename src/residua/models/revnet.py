"""RevNets (Gomez et al. 2017): ResNets whose activations are computed again from the last ones.

A unit of ours is half of one of the paper's, of F or of G: ``cifar_revnet38`` has 3 of theirs in each stage, 6 of ours.
What is not in the paper's text is as in the authors' code (renmengye/revnet-public): full pre-activation, average
pooling and zero channels where the shape changes. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from residua.models.merges.coupled import CoupledMerge
from residua.models.orders import FullPreact
from residua.models.shortcuts.padding import PooledPaddedShortcut
from residua.models.slots import MergeSpec, OrderSpec, ShortcutSpec, StemSpec
from residua.models.staged import StagedSpec, build
from residua.models.stems.cifar import CifarStemSpec
from residua.registry import Family, register


@dataclass(frozen=True, kw_only=True)
class RevNetSpec(StagedSpec):
    """A reversible network. ``widths`` are the channels of one stream; maps have twice as many."""

    table: ClassVar[str] = "revnet"

    family: str = "revnet"
    depths: tuple[int, ...] = (6, 6, 6)
    widths: tuple[int, ...] = (16, 32, 56)
    stem: StemSpec = CifarStemSpec(width=32)
    merge: MergeSpec = CoupledMerge()
    order: OrderSpec = FullPreact()
    shortcut: ShortcutSpec = PooledPaddedShortcut()
    num_classes: int = 10


_TINY: dict[str, Any] = {"depths": (2, 2), "widths": (8, 16), "stem": "cifar(width=16)"}
_NAMED = {
    spec.name: spec
    for spec in (
        # Gomez et al. 2017, Table 3: units 3-3-3 and 9-9-9, channels 32-32-64-112 and 32-32-64-128
        RevNetSpec(name="cifar_revnet38"),
        RevNetSpec(name="cifar_revnet110", depths=(18, 18, 18), widths=(16, 32, 64)),
        RevNetSpec(name="cifar_revnet10", **_TINY),
    )
}

register(Family(name="revnet", spec_class=RevNetSpec, build=build, named=_NAMED, tiny="cifar_revnet10"))
