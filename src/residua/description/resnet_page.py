"""A ResNet as a page of text: its table, shortcuts, multiply-adds beside the paper's, deviations, published figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from residua.analysis.cost import Cost
from residua.description.citations import Citation
from residua.description.columns import columns
from residua.description.counterpart import PrintedFlops
from residua.description.reader_questions import Answer, padding
from residua.description.resnet_figures import Figure
from residua.description.sections import PUBLISHED, Page, Section, bullets, filled, sizes, wrapped
from residua.description.structure import Shortcut, Structure
from residua.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Description(Page):
    """A network for one input. ``str()`` gives a page of at most 100 columns, ``to_dict()`` plain JSON values."""

    spec: ModelSpec
    structure: Structure
    notes: tuple[str, ...]  # on this input
    changes: tuple[str, ...]  # against the registered network of the same name
    deviations: tuple[str, ...]  # from He et al. 2015
    flops: PrintedFlops | None  # the paper's figure; None where it prints none
    published: tuple[Figure, ...]  # by He et al., and torchvision's weights
    citations: tuple[Citation, ...]  # of networks of other papers
    answers: tuple[Answer, ...]
    corrections: tuple[str, ...]

    @property
    def counted(self) -> Cost:  # noqa: D102
        return self.structure.cost

    @property
    def depth(self) -> int:  # noqa: D102
        return self.structure.depth.total

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; shapes are [C, H, W], errors and accuracies percent."""
        parts = [dataclasses.asdict(part) for part in self.structure.parts]
        return {
            **self.head(),
            "depth_counts": dataclasses.asdict(self.structure.depth),
            "stages": [part for part in parts if part["units"]],
            "other_parts": [part for part in parts if not part["units"]],
            "projections": dataclasses.asdict(self.structure.cost.projections),
            "printed_flops": dataclasses.asdict(self.flops) if self.flops else None,
            "notes": self.notes,
            "changes": self.changes,
            "deviations": self.deviations,
            "published": [dataclasses.asdict(figure) for figure in (*self.published, *self.citations)],
            "answers": [dataclasses.asdict(answer) for answer in self.answers],
            "corrections": self.corrections,
            "spec": self.spec.to_dict(),
        }

    def sections(self) -> list[Section]:
        """The page as headings and lines; what there is nothing to say of is left out."""
        structure = self.structure
        return filled(
            (self.title(sizes(structure.input)), _parts(structure)),
            ("Shortcuts", _shortcuts(structure)),
            ("Multiply-adds beside the paper", _flops(self.flops, self.multiply_adds)),
            ("Note", bullets(self.notes)),
            ("Changed against the registered network of this name", bullets(self.changes)),
            ("Not as in He et al. 2015", bullets(self.deviations)),
            (
                PUBLISHED,
                [*_published(self.published), *bullets([str(row) for row in self.citations])],
            ),
            ("What popular texts get wrong", bullets(self.corrections)),
            *((answer.question, wrapped(answer.answer)) for answer in self.answers),
        )


def _parts(structure: Structure) -> list[str]:
    # He et al. 2015, Table 1 calls the stages of the ImageNet nets conv2_x to conv5_x
    named = bool(structure.pools) and len(structure.stages) == 4
    rows = [("part", "output", "units", "layers of a unit (/2: first only)", "parameters", "multiply-adds")]
    for part in structure.parts:
        name = f"{part.name} (conv{int(part.name[5:]) + 1}_x)" if named and part.units else part.name
        layers = " - ".join(part.layers)
        rows.append(
            (
                name,
                sizes(part.output),
                str(part.units or ""),
                layers,
                f"{part.parameters:,}",
                f"{part.multiply_adds:,}",
            )
        )
    return columns(rows, right=(2, 4, 5), flexible=3)


def _shortcuts(structure: Structure) -> list[str]:
    rows = [(_span(shortcut), _shortcut_words(shortcut)) for shortcut in structure.shortcuts]
    return columns(rows, flexible=1) if rows else []


def _span(shortcut: Shortcut) -> str:
    if shortcut.units == 1:
        return shortcut.first
    return f"{shortcut.first} .. {shortcut.last.removeprefix(_common(shortcut.first))}"


def _common(name: str) -> str:
    return name.rpartition(".")[0] + "."


def _shortcut_words(shortcut: Shortcut) -> str:
    path = sizes(shortcut.input)
    if shortcut.output != shortcut.input:
        path += f" to {sizes(shortcut.output)}"
    step = f"/{shortcut.stride}" if shortcut.stride > 1 else ""
    match shortcut.kind:
        case "identity":
            return f"identity, {path}"
        case "none":
            return f"none (plain units), {path}"
        case "projection":
            return f"projection by a 1x1{step} convolution, {path}, {shortcut.parameters:,} parameters"
        case "subsample and pad":
            first = "every 2nd pixel, then " if shortcut.stride == 2 else ""
            return f"{first}{padding(shortcut)}, {path}, no parameters"
    return f"a module of its own, {path}, {shortcut.parameters:,} parameters"


def _flops(flops: PrintedFlops | None, exact: int) -> list[str]:
    if flops is None:
        return []
    unconfirmed = "" if flops.status == "verified" else " (unconfirmed)"
    first = (
        f"{flops.source} prints {flops.printed} x 10^9 for {flops.model}{unconfirmed}: "
        f"the paper's network has {flops.exact:,}, {flops.rounding}."
    )
    if not flops.steps:
        return wrapped(f"{first} This is that network.")
    rows = [(f"{step.multiply_adds:+,}", step.reason) for step in flops.steps]
    return [
        *wrapped(first),
        *columns([*rows, (f"{exact:,}", "this network")], right=(0,), flexible=1),
    ]


def _published(figures: Sequence[Figure]) -> list[str]:
    lines = []
    for figure in figures:
        about = ", ".join(filter(None, (figure.dataset, figure.split, figure.protocol, figure.runs)))
        shown = figure.text or f"{figure.model}: {values(figure.values)}"
        notes = [f"published with {' and '.join(figure.differs)}"] if figure.differs else []
        notes += ["unconfirmed"] if figure.status != "verified" else []
        note = f" [{'; '.join(notes)}]" if notes else ""
        lines += bullets([f"{figure.source} ({about}): {shown}{note}"])
    return lines


_METRICS = {
    "top1_err": "top-1 error",
    "top5_err": "top-5 error",
    "top1_acc": "top-1 accuracy",
    "top5_acc": "top-5 accuracy",
    "err": "error",
}


def values(figures: Mapping[str, Any]) -> str:
    """Published figures in words."""
    shown = []
    for key, value in figures.items():
        if key == "err" and figures.get("stat") == "best":
            runs = f" of {figures['n']} runs" if "n" in figures else ""
            shown.append(f"best error{runs} {value}")
        elif key == "params_m":
            shown.append(f"{value} million parameters")
        elif key in _METRICS:
            shown.append(f"{_METRICS[key]} {value}")
        elif key == "mean":
            shown.append(f"mean {value}" + (f" +- {figures['std']}" if "std" in figures else ""))
        elif key in ("std", "n", "stat"):
            continue
        else:
            shown.append(f"{key.replace('_', ' ')} {value}")
    return ", ".join(shown)
