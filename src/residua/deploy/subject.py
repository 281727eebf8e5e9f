"""What is timed: a trained network, one with random weights by its name, or an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from residua.data.batches.keyed import generator
from residua.deploy.artifact import Artifact, is_artifact, read_artifact
from residua.deploy.evidence import PARITY_IMAGES, Evidence, Images
from residua.errors import ResiduaError, UsageError
from residua.evaluation.source import InputFacts, NetworkLike, Trained, open_source
from residua.loading import create_model, locate
from residua.registry import model_spec
from residua.runs.folder import RunFolder
from residua.runs.layout import is_run
from residua.train.task import task_of
from residua.weights.digest import digest_of

_RANDOM = "random weights (seed 0): the speed is that of a trained one, the answers mean nothing"


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """At least one of a network that torch can run and an artifact."""

    name: str
    trained: Trained | None
    artifact: Artifact | None = None
    fresh: bool = False  # random weights
    notes: tuple[str, ...] = ()

    def noise(self) -> Evidence:
        """Pixels for an artifact alone."""
        assert self.artifact is not None
        shape = (PARITY_IMAGES, *self.artifact.shape)
        pixels = generator(0, "bench").integers(0, 256, shape, np.uint8).astype(self.artifact.dtype)
        images = Images(pixels=pixels, labels=None, of="seeded noise")
        return Evidence(tuning=images, test=images)


def open_subject(source: NetworkLike | Artifact) -> Subject:
    """A run, a weight file, published weights, an artifact, or the name of a network, which then gets random weights.

    Raises UsageError for what is none of them and for a network that takes no images.
    """
    if isinstance(source, Artifact) or (isinstance(source, str | Path) and is_artifact(source)):
        return _of_artifact(source if isinstance(source, Artifact) else read_artifact(source))
    trained, fresh = _fresh(source) if isinstance(source, str) else None, True
    if trained is None:
        trained, fresh = open_source(source), False
    images = trained.images
    if trained.spec.takes_tokens or images.shape is None or images.mean is None or images.std is None:
        raise ResiduaError(f"{trained.name} does not tell the size, mean and std of its images")
    if len(images.shape) != 3:
        raise UsageError(f"{trained.name} takes {images.shape}: networks of images are timed")
    return Subject(name=trained.name, trained=trained, fresh=fresh, notes=(_RANDOM,) if fresh else ())


def _of_artifact(artifact: Artifact) -> Subject:
    """With the network that it was made of, if it stands in the folder of its run still."""
    trained = _made_of(artifact)
    if trained is not None:
        return Subject(name=artifact.name, trained=trained, artifact=artifact)
    note = "an artifact alone: its answers are compared with nothing; name its run to compare them"
    return Subject(name=artifact.name, trained=None, artifact=artifact, notes=(note,))


def _made_of(artifact: Artifact) -> Trained | None:
    folder = artifact.path.resolve().parent.parent  # of RUN/artifacts/NAME
    if not is_run(folder):
        return None
    weights = RunFolder(folder).weights
    same = weights.is_file() and digest_of(weights) == artifact.provenance.get("weights")
    return open_source(folder) if same else None


def _fresh(name: str) -> Trained | None:
    """A network by name, with random weights; None for a name that is none, and for a run or file of that name."""
    try:
        locate(name)
        return None
    except UsageError as nowhere:
        try:
            spec = model_spec(name)
        except UsageError as unknown:
            raise (nowhere if Path(name).suffix or "/" in name or name == "latest" else unknown) from None
    if task_of(spec, {}).answers not in ("classes", "numbers", "nothing") or spec.takes_tokens:
        raise UsageError(f"{name} takes no images: networks of images are timed")
    shape = tuple(spec.usual_input)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model(spec).eval()
    facts = InputFacts(shape=shape, mean=(0.5,) * shape[0], std=(0.25,) * shape[0])
    return Trained(name=name, model=model, spec=spec, images=facts)
