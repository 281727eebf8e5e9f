"""Models out of names, run folders, weight files and other libraries' checkpoints."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from residua.convert import read_foreign
from residua.convert.hub import fetch_published, is_published, published_about
from residua.convert.tensors import SUFFIXES, is_safetensors
from residua.errors import ResiduaError, UsageError
from residua.models.wide_resnet import earlier_reading
from residua.nn.conventions import Classifier
from residua.nn.features import features_only as backbone
from residua.registry import build, model_spec
from residua.runs.find import resolve_run
from residua.runs.folder import RunFolder
from residua.runs.intact import naming_what_is_intact
from residua.spec import ModelSpec
from residua.weights.bundled import bundled_file, is_bundled
from residua.weights.model_files import (
    Adapted,
    Weights,
    adapt,
    build_model,
    read_about,
    read_weights,
    spec_of,
)
from residua.weights.named import named_weights

_log = logging.getLogger("residua")


def create_model(
    model: str | ModelSpec | Mapping[str, Any],
    *,
    pretrained: str | Path | bool | None = None,
    features_only: bool = False,
    out_indices: int | Sequence[int] | None = None,
    **changes: Any,
) -> nn.Module:
    """Build a network, in training mode, initialised after He et al. from torch's default generator.

    Args:
        model: a name (``"resnet50"``, ``"cifar_resnet20"``), a spec, or a spec's table.
        pretrained: start from the weights of a run folder (``"latest"`` included), a weight file, a foreign
            checkpoint, ``"bundled"`` or published weights (``"torchvision:resnet50"``). Another number of classes or
            of input channels is adapted; what was adapted is logged by the logger ``residua`` and is what
            ``load_into`` returns. ``True`` is refused: which of the weights of that network is to be said.
        features_only: return the backbone alone, which gives a list of maps (``residua.nn.features``).
        out_indices: of which levels: places from 0 or negative ones from the end, or a number of last ones; all by
            default.
        changes: fields of the spec: ``num_classes=10``, ``in_channels=1``, ``shortcut="A"``, ...

    Returns a network from images ``(N, in_channels, H, W)`` to logits ``(N, num_classes)``, or to maps.

    Raises UsageError for an unknown name or field and for weights of another network, ResiduaError for a
    file that cannot be read.

    """
    if out_indices is not None and not features_only:
        raise UsageError("out_indices says which maps a backbone gives: it needs features_only=True")
    network: nn.Module = build(model_spec(model, **changes))
    if pretrained is True:
        known = [one.name for one in named_weights() if one.network == spec_of(network).name]
        raise UsageError(
            f"pretrained=True does not say which weights: {', '.join(known) or 'none have a name here'}; or a run "
            "folder, a weight file, a checkpoint"
        )
    if pretrained:
        weights = load_weights(pretrained, spec_of(network))
        adapted = load_into(network, weights)
        _tell(network, weights)
        level = logging.WARNING if adapted.changed or adapted.fresh else logging.INFO
        _log.log(level, "%s: %s", pretrained, "; ".join((str(adapted), *weights.notes)))
    return backbone(network, out_indices) if features_only else network


def load_model(source: str | Path) -> nn.Module:
    """The trained network of a run folder, a weight file or a foreign checkpoint, in evaluation mode.

    ``source`` is what ``load_weights`` takes. Raises UsageError if there is no such run, ResiduaError for a
    file that cannot be read or holds another network than it says.
    """
    weights = load_weights(source)
    network = build_model(weights)
    _tell(network, weights)
    return network


def load_run(source: str | Path = "latest") -> RunFolder:
    """The run folder that a path, a name under ``runs/`` or ``"latest"`` means. Raises UsageError if none."""
    return RunFolder(resolve_run(source))


def load_weights(source: str | Path, spec: ModelSpec | None = None, **known: Any) -> Weights:
    """The tensors, the spec and the description of the images (``data``) of a trained network.

    ``source`` is a run folder, its name under ``runs/``, ``"latest"``, a residua weight file, another library's
    checkpoint (``.pth``, ``.th``, ``.pt``, ``.bin``, ``.ckpt``, ``.safetensors``, or the ``.index.json`` of several),
    whose network is found out from its keys and shapes, ``"bundled"``, the network that comes with the package, or the
    name of published weights (``"torchvision:resnet50"``), which are downloaded once. Of a run that is not complete,
    the last checkpoint counts. A checkpoint that somebody's trainer wrote of a network of residua's does not say of
    which: it is taken for that of ``spec``. ``known`` are fields of the spec that a checkpoint cannot tell
    (``stride_on="1x1"``). Nothing is unpickled.

    Raises UsageError if there is no such file or run, ResiduaError if it cannot be read or is of no known network.
    """
    found = locate(source)
    if isinstance(found, Path):
        weights = _read_file(found, spec, known)
    else:
        _know_nothing(source, known)
        with naming_what_is_intact(found.path):
            weights = dataclasses.replace(read_weights(found.weights), data=found.data)
    earlier = earlier_reading(weights.spec)
    if not earlier:
        return weights
    return dataclasses.replace(weights, data=weights.data | {"notes": [*weights.notes, earlier]})


def locate(source: str | Path) -> Path | RunFolder:
    """The weight file or the run folder that ``source`` means; published weights are downloaded if need be.

    Raises UsageError if there is none, ResiduaError if published weights cannot be had.
    """
    if is_bundled(source):
        return bundled_file(str(source))
    if is_published(source):
        return fetch_published(str(source))
    path = Path(source)
    if path.is_file() and path.name != "latest":  # a run's link may be a text file of this name
        return path
    if path.suffix in SUFFIXES | {".json"} and not path.is_dir():
        raise UsageError(f"there is no file {path}")
    return load_run(source)


def load_into(model: nn.Module, source: str | Path | Weights) -> Adapted:
    """Put trained weights into ``model``, which may have other classes or input channels.

    Returns what was adapted. Raises UsageError if the networks differ otherwise, also where their tensors
    would fit (option A with the zeros on both sides has the same tensors as option A without), ResiduaError
    for a file that cannot be read.
    """
    weights = source if isinstance(source, Weights) else load_weights(source, spec_of(model))
    return adapt(model, weights)


def _tell(network: nn.Module, weights: Weights) -> None:
    """Let a classifier say how the images of its weights were normalised."""
    if isinstance(network, Classifier):
        network.images = weights.data


def _read_file(path: Path, spec: ModelSpec | None, known: Mapping[str, Any]) -> Weights:
    if not is_safetensors(path) or not isinstance(read_about(path).get("spec"), dict):
        weights = read_foreign(path, spec, **known)
        return dataclasses.replace(weights, data=weights.data | published_about(path))
    _know_nothing(path, known)
    try:
        return read_weights(path)
    except UsageError as error:  # the file is wrong, not the caller
        raise ResiduaError(f"{path}: {error}") from error


def _know_nothing(source: str | Path, known: Mapping[str, Any]) -> None:
    if known:
        raise UsageError(f"{source} says what network it is: {', '.join(known)} is not to be told")
