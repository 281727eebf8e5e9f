"""What readers of the paper keep asking, and what popular texts get wrong, told with a network's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from residua.description.sections import sizes
from residua.description.structure import NetworkPart, Shape, Shortcut, Structure


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question of readers of the paper, and its answer for one network."""

    question: str
    answer: str


def answers(structure: Structure) -> list[Answer]:
    """The two questions that readers of He et al. 2015 keep asking."""
    return [
        Answer(
            question="How does option A match the spatial size when it only pads channels?",
            answer=_spatial_size(structure),
        ),
        Answer(
            question="Why does the first bottleneck take 256-d input in the figure when the stem gives 64?",
            answer=_bottleneck_input(structure),
        ),
    ]


def notes(structure: Structure) -> list[str]:
    """What is to be said of this input."""
    before, last = structure.stages[-1].input, structure.stages[-1].output
    if not structure.pools or last[1:] != (1, 1):
        return []
    return [
        f"{sizes(structure.input)} images reach the end of the last stage as a single pixel ({_size(before)} to 1x1): "
        "the 7x7/2 stem with its max-pool is made for 224 px; stem = cifar suits small images"
    ]


def corrections(structure: Structure) -> list[str]:
    """What popular texts say of the stages, the pooling and the depth, put right with this network's shapes."""
    return [_halving(structure), _remaining(structure), _depth(structure)]


def _spatial_size(structure: Structure) -> str:
    general = (
        "It subsamples before it pads: stride 2 takes every 2nd pixel in both directions, without averaging. "
    )
    strided = next((s for s in structure.shortcuts if s.stride > 1), None)
    if strided is None:
        return general + "In this network no unit changes the map's size, so there is nothing to subsample."
    between = sizes((strided.input[0], *strided.output[1:]))
    path = f"{sizes(strided.input)} is subsampled to {between}, then {padding(strided)} give {sizes(strided.output)}"
    if strided.kind == "subsample and pad":
        return f"{general}Here, in {strided.first}: {path}; no parameters, no multiply-adds."
    instead = {
        "none": "is plain and has no shortcut",
        "projection": f"projects instead, by a 1x1 convolution with stride {strided.stride}",
    }.get(strided.kind, "has a shortcut of its own kind")
    return f"{general}{strided.first} of this network {instead}; with option A {path}."


def padding(shortcut: Shortcut) -> str:
    """What option A pads at a shortcut, in words."""
    before, after = shortcut.zeros
    if before:
        return f"{before} zero channels before and {after} after"
    return f"{shortcut.output[0] - shortcut.input[0]} zero channels appended"


def _bottleneck_input(structure: Structure) -> str:
    first = structure.stages[0]
    width, out = first.input[0], first.output[0]
    later = first.units - 1
    if width == out:
        return (
            "The figure shows a bottleneck after the first one of its stage, where the maps are 256-d already. Here "
            f"nothing has to be widened: stage1 takes {width} channels from the stem and gives {out}, so all of its "
            f"{first.units} units take {width}-d input."
        )
    shortcut = first.shortcuts[0]
    how = {
        "projection": f"through a projection ({shortcut.parameters:,} parameters)",
        "subsample and pad": f"by {padding(shortcut)}",
        "none": "on the branch alone, for it is plain",
    }.get(shortcut.kind, "through its own shortcut")
    same = " as in the figure" if out == 256 else ""
    after = f"; the {later} after it take {out}-d input{same}" if later else ", and no unit follows it"
    return (
        f"The figure shows a block after the first one of its stage. Here {shortcut.first} goes {width} -> {out} "
        f"{how}{after}."
    )


def _halving(structure: Structure) -> str:
    stages = structure.stages
    halve = [stage for stage in stages if stage.output[-1] < stage.input[-1]]
    keep = [stage for stage in stages if stage not in halve]
    text = f"Of the {len(stages)} stages {len(halve) or 'none'} halve{'s' if len(halve) == 1 else ''} the map"
    if halve:
        text += f" ({_map_sizes(halve)})"
    if keep:
        source = "max-pool" if structure.pools else "first convolution"
        names = ", ".join(stage.name for stage in keep)
        text += f"; {names} keep{'s' if len(keep) == 1 else ''} the {_size(keep[0].output)} map"
        text += f" that the stem's {source} gives" if keep[0] is stages[0] else ""
    return text + "."


def _map_sizes(stages: Sequence[NetworkPart]) -> str:
    return ", ".join(f"{s.name}: {_size(s.input)} to {_size(s.output)}" for s in stages)


def _size(shape: Shape) -> str:
    return sizes(shape[1:])


def _remaining(structure: Structure) -> str:
    if structure.pools:
        before, after = structure.pools[0]
        pool = f"One max-pool remains, in the stem ({sizes(before)} to {sizes(after)})"
    else:
        pool = "There is no max-pool"
    if not structure.classifiers:
        return f"{pool}; the fully connected layer was left out."
    source, target = structure.classifiers[-1]
    return (
        f"{pool}; one fully connected layer remains after the global average pooling ({source} to {target}, "
        f"{source * target + target:,} parameters)."
    )


def _depth(structure: Structure) -> str:
    depth = structure.depth
    units = sum(stage.units for stage in structure.stages)
    counted = f"{depth.stem} in the stem + {depth.units} in {units} units + {depth.head} fully connected"
    others = (
        (depth.norms, "batch norms"),
        (depth.projections, "projections"),
        (depth.gates, "layers of gates"),
    )
    *most, last = [f"{number} {what}" for number, what in others if number] or ["norms"]
    ignored = " and ".join(filter(None, (", ".join(most), last)))
    return (
        f"The depth {depth.total} counts convolutions on the main path and the fully connected layer "
        f"({counted}); {ignored} do not count."
    )
