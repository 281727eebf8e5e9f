"""Everything that residua can say of a network without running it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from residua.analysis.skeleton import skeleton
from residua.description.citations import Elsewhere, elsewhere
from residua.description.counterpart import PrintedFlops, changes, deviations, printed_flops, twin
from residua.description.reader_questions import Answer, answers, corrections, notes
from residua.description.resnet_figures import Figure, figures
from residua.description.resnet_page import Section, page, render
from residua.description.structure import Structure, read_structure
from residua.description.summary import Summary, summarize
from residua.errors import UsageError
from residua.models.resnet import ResNetSpec
from residua.registry import model_spec
from residua.spec import ModelSpec

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Description:
    """A network for one input. ``str()`` gives a page of at most 100 columns, ``to_dict()`` plain JSON values."""

    spec: ModelSpec
    structure: Structure
    notes: tuple[str, ...]  # on this input
    changes: tuple[str, ...]  # against the registered network of the same name
    deviations: tuple[str, ...]  # from He et al. 2015
    flops: PrintedFlops | None  # the paper's figure; None where it prints none
    published: tuple[Figure, ...]  # by He et al., and torchvision's weights
    elsewhere: tuple[Elsewhere, ...]  # of networks of other papers
    answers: tuple[Answer, ...]
    corrections: tuple[str, ...]

    @property
    def name(self) -> str:
        """The network's name."""
        return self.spec.name

    @property
    def parameters(self) -> int:
        """Exact number of parameters."""
        return self.structure.cost.parameters

    @property
    def multiply_adds(self) -> int:
        """Exact multiply-adds of one input, as ``residua.analysis.cost`` counts them."""
        return self.structure.cost.multiply_adds

    @property
    def depth(self) -> int:
        """Convolutions on the main path and fully connected layers."""
        return self.structure.depth.total

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; shapes are [C, H, W], errors and accuracies percent."""
        parts = [dataclasses.asdict(part) for part in self.structure.parts]
        return {
            "schema": SCHEMA,
            "name": self.name,
            "family": self.spec.family,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "input": self.structure.input,
            "depth": self.depth,
            "depth_counts": dataclasses.asdict(self.structure.depth),
            "stages": [part for part in parts if part["units"]],
            "other_parts": [part for part in parts if not part["units"]],
            "projections": dataclasses.asdict(self.structure.cost.projections),
            "printed_flops": dataclasses.asdict(self.flops) if self.flops else None,
            "notes": self.notes,
            "changes": self.changes,
            "deviations": self.deviations,
            "published": [dataclasses.asdict(figure) for figure in (*self.published, *self.elsewhere)],
            "answers": [dataclasses.asdict(answer) for answer in self.answers],
            "corrections": self.corrections,
            "spec": self.spec.to_dict(),
        }

    def sections(self) -> list[Section]:
        """The page as headings and lines."""
        return page(self)

    def __str__(self) -> str:
        return render(self.sections())


def describe(
    model: str | ModelSpec | Mapping[str, Any] | torch.nn.Module, input_shape: Sequence[int] | None = None
) -> Description | Summary:
    """Describe a network: by name, by spec, or as built. ResNets get a Description, other families a Summary.

    ``input_shape`` is that of one sample, (C, H, W) for images; by default what the network's papers feed it. Nothing
    is computed but shapes. Raises UsageError for an unknown name and for an input that the network refuses.
    """
    if isinstance(model, torch.nn.Module):
        spec: Any = getattr(model, "spec", None)
        bare = skeleton(model)
    else:
        spec = model_spec(model)
        bare = skeleton(spec)
    if not isinstance(spec, ModelSpec):
        raise UsageError(
            f"describe shows networks with a spec, not {type(bare).__name__}; residua.analysis.cost counts any module"
        )
    shape = tuple(spec.usual_input if input_shape is None else input_shape)  # type: ignore[attr-defined]
    if not isinstance(spec, ResNetSpec):
        return summarize(bare, spec, shape)
    structure = read_structure(bare, shape)  # type: ignore[arg-type]
    paper = twin(spec)
    exact = structure.cost.multiply_adds
    return Description(
        spec=spec,
        structure=structure,
        notes=tuple(notes(structure)),
        changes=tuple(changes(spec)),
        deviations=tuple(deviations(spec, paper)),
        flops=printed_flops(spec, paper, structure.input, exact),
        published=tuple(figures(spec, paper)),
        elsewhere=tuple(elsewhere(spec.name)) if spec.family != "resnet" else (),
        answers=tuple(answers(structure)),
        corrections=tuple(corrections(structure)),
    )
