"""A description as a page of text: sections with headings, aligned columns, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from residua.description.columns import WIDTH, columns
from residua.description.counterpart import PrintedFlops
from residua.description.reader_questions import padding, words
from residua.description.resnet_figures import Figure
from residua.description.structure import Shortcut, Structure

if TYPE_CHECKING:
    from residua.description.description import Description


@dataclass(frozen=True)
class Section:
    """A heading and the lines under it."""

    heading: str
    lines: tuple[str, ...]


def page(described: Description) -> list[Section]:
    """The sections of a description; what there is nothing to say of is left out."""
    structure = described.structure
    sections = (
        (_title(described), _parts(structure)),
        ("Shortcuts", _shortcuts(structure)),
        ("Multiply-adds beside the paper", _flops(described.flops, described.multiply_adds)),
        ("Note", bullets(described.notes)),
        ("Changed against the registered network of this name", bullets(described.changes)),
        ("Not as in He et al. 2015", bullets(described.deviations)),
        (
            "Published (errors and accuracies in percent; never compare across protocols)",
            [*_published(described.published), *bullets([str(row) for row in described.elsewhere])],
        ),
        ("What popular texts get wrong", bullets(described.corrections)),
        *((answer.question, _wrapped(answer.answer)) for answer in described.answers),
    )
    return [Section(heading, tuple(lines)) for heading, lines in sections if lines]


def render(sections: Sequence[Section]) -> str:
    """The page as plain text."""
    return "\n\n".join("\n".join([*_wrapped(section.heading), *section.lines]) for section in sections)


def _title(described: Description) -> str:
    return (
        f"{described.name}: {described.parameters:,} parameters, {described.multiply_adds:,} multiply-adds "
        f"for {words(described.structure.input)}, depth {described.depth}"
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
                words(part.output),
                str(part.units or ""),
                layers,
                f"{part.parameters:,}",
                f"{part.multiply_adds:,}",
            )
        )
    return columns(rows, right=(2, 4, 5), flexible=3)


def _shortcuts(structure: Structure) -> list[str]:
    rows = [(_span(shortcut), _told(shortcut)) for shortcut in structure.shortcuts]
    return columns(rows, flexible=1) if rows else []


def _span(shortcut: Shortcut) -> str:
    if shortcut.units == 1:
        return shortcut.first
    return f"{shortcut.first} .. {shortcut.last.removeprefix(_common(shortcut.first))}"


def _common(name: str) -> str:
    return name.rpartition(".")[0] + "."


def _told(shortcut: Shortcut) -> str:
    path = words(shortcut.input)
    if shortcut.output != shortcut.input:
        path += f" to {words(shortcut.output)}"
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
        return _wrapped(f"{first} This is that network.")
    rows = [(f"{step.multiply_adds:+,}", step.reason) for step in flops.steps]
    return [
        *_wrapped(first),
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


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH)


def bullets(texts: Sequence[str]) -> list[str]:
    """Each text as a list item, wrapped."""
    return [
        line
        for text in texts
        for line in textwrap.wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ")
    ]
