"""``describe``: everything that residua can say of a network without running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from residua.analysis.skeleton import skeleton
from residua.description.citations import citations
from residua.description.counterpart import changes, deviations, printed_flops, twin
from residua.description.reader_questions import answers, corrections, notes
from residua.description.resnet_figures import figures
from residua.description.resnet_page import Description
from residua.description.structure import read_structure
from residua.description.summary import Summary, summarize
from residua.errors import UsageError
from residua.models.resnet import ResNetSpec
from residua.registry import model_spec
from residua.spec import ModelSpec


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
    shape = tuple(spec.usual_input if input_shape is None else input_shape)
    if not isinstance(spec, ResNetSpec):
        return summarize(bare, spec, shape)
    structure = read_structure(bare, shape)  # type: ignore[arg-type]  # a skeleton is typed as any module
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
        citations=tuple(citations(spec.name)) if spec.family != "resnet" else (),
        answers=tuple(answers(structure)),
        corrections=tuple(corrections(structure)),
    )
