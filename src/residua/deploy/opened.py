"""Any source that can be asked about images, with what must be known of it: runs, weight files and artifacts alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from residua.deploy.artifact import Artifact, is_artifact, read_artifact
from residua.deploy.runtime import Runtime, open_runtime
from residua.deploy.torch_runtime import TorchRuntime
from residua.errors import ResiduaError, UsageError
from residua.evaluation.source import NetworkLike, open_source
from residua.train.plan import choose_device

Source = NetworkLike | Artifact


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """A network that is ready to be asked."""

    name: str
    format: str  # of an artifact; "torch" of runs and weight files
    precision: str
    runtime: Runtime
    shape: tuple[int, ...]  # (C, H, W) of an image, (C, D, H, W) of a volume or clip
    dtype: str  # of what it is given: "uint8", or "float32" for volumes
    answers: str  # "classes" or "numbers"
    labels: tuple[str, ...]  # of the outputs
    target_mean: Sequence[float]  # of numbers: their units are output * std + mean
    target_std: Sequence[float]
    notes: tuple[str, ...]
    device: str
    dynamic_batch: bool = True

    @property
    def volumes(self) -> bool:
        """Whether it takes volumes or clips, and no images."""
        return len(self.shape) == 4


def open_any(source: Source, device: str, threads: int | None) -> Opened:
    """The network of a source. ``device`` is of runs and weight files, ``threads`` of artifacts.

    Raises UsageError for a source or device that there is not and a network that answers nothing about an image,
    ResiduaError for a source that cannot be read or does not tell what its images look like.
    """
    if isinstance(source, Artifact) or (isinstance(source, str | Path) and is_artifact(source)):
        opened = _artifact(source if isinstance(source, Artifact) else read_artifact(source), device, threads)
    else:
        opened = _trained(source, device)
    if not opened.volumes and (opened.shape[0] not in (1, 3) or opened.shape[1] != opened.shape[2]):
        raise ResiduaError(f"{opened.name} takes {opened.shape}, neither grey nor colour squares")
    return opened


def _artifact(artifact: Artifact, device: str, threads: int | None) -> Opened:
    if artifact.answers == "nothing":
        raise _nameless(artifact.name, artifact.task)
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"{artifact.path} is an artifact, which runs on the cpu: --device {device} is for runs"
        )
    units = artifact.units
    return Opened(
        name=artifact.name,
        format=artifact.format,
        precision=artifact.precision,
        runtime=open_runtime(artifact, threads),
        shape=artifact.shape,
        dtype=artifact.dtype,
        answers=artifact.answers,
        labels=artifact.labels,
        target_mean=units.mean if units else (0.0,),
        target_std=units.std if units else (1.0,),
        notes=artifact.notes,
        device="cpu",
        dynamic_batch=artifact.dynamic_batch,
    )


def _trained(source: NetworkLike, device: str) -> Opened:
    trained = open_source(source)
    images = trained.images
    if trained.task.answers == "nothing":
        raise _nameless(trained.name, trained.task.kind)
    if images.shape is None or images.mean is None or images.std is None:
        raise ResiduaError(f"{trained.name} does not tell the size, mean and std of its images")
    chosen = choose_device(device)
    dtype = "float32" if len(images.shape) == 4 else "uint8"
    return Opened(
        name=trained.name,
        format="torch",
        precision={"float32": "fp32", "bfloat16": "bf16"}[trained.precision],
        runtime=TorchRuntime(
            trained.model, images.mean, images.std, dtype=dtype, device=chosen, precision=trained.precision
        ),
        shape=images.shape,
        dtype=dtype,
        answers=trained.task.answers,
        labels=images.targets or trained.classes,
        target_mean=images.target_mean or (0.0,),
        target_std=images.target_std or (1.0,),
        notes=trained.notes,
        device=chosen,
    )


def _nameless(name: str, task: str) -> UsageError:
    return UsageError(f"{name} is trained for {task} and gives images no class")
