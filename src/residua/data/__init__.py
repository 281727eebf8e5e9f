"""Images with labels: where they come from, how they are split, and the batches that a network sees.

Imported lazily, so that the command line can list kinds and fetch archives without importing torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from residua.data.augment.crop_flip import crop_flip
    from residua.data.batches.normalize import normalize
    from residua.data.batches.pipeline import EvalBatch, TrainBatches, eval_batches
    from residua.data.given import data_of
    from residua.data.identity import same_identity
    from residua.data.image import preprocess, read_image
    from residua.data.load import load_data
    from residua.data.loaded import AnyData, Data, NormalizedData, Source
    from residua.data.splits import ArraySplit, Split, StreamingSplit, stratified_split

__all__ = [
    "AnyData",
    "ArraySplit",
    "Data",
    "EvalBatch",
    "NormalizedData",
    "Source",
    "Split",
    "StreamingSplit",
    "TrainBatches",
    "crop_flip",
    "data_of",
    "eval_batches",
    "load_data",
    "normalize",
    "preprocess",
    "read_image",
    "same_identity",
    "stratified_split",
]

_HOME = {
    "crop_flip": "augment.crop_flip",
    "normalize": "batches.normalize",
    **dict.fromkeys(("EvalBatch", "TrainBatches", "eval_batches"), "batches.pipeline"),
    "data_of": "given",
    "same_identity": "identity",
    **dict.fromkeys(("preprocess", "read_image"), "image"),
    "load_data": "load",
    **dict.fromkeys(("AnyData", "Data", "NormalizedData", "Source"), "loaded"),
    **dict.fromkeys(("ArraySplit", "Split", "StreamingSplit", "stratified_split"), "splits"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
