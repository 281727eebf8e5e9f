"""The published figures of a network, each with its protocol and with what the published network has otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from residua.description.counterpart import paper_name
from residua.models.resnet import ResNetSpec
from residua.published import Row, Status, Table, published


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Published figures of one model under one protocol, or (in ``text``) a published statement about it."""

    source: str  # work and place: "He et al. 2015, Table 6"
    title: str = ""
    model: str
    dataset: str
    split: str = ""
    protocol: str = ""
    runs: str = ""
    values: Mapping[str, Any] = field(
        default_factory=dict
    )  # errors and accuracies in percent, params_m in millions
    text: str = ""
    status: Status
    differs: tuple[str, ...] = ()  # how the published network differs from this one


# What the networks of a table have (He et al. 2015, sec. 4.1 and 4.2; the released models are those of Table 3).
_B = {"shortcut": "B", "unit.stride_on": "1x1"}
_NETWORKS: dict[str, dict[str, str]] = {
    "he2015.t2": {"shortcut": "A"},
    "he2015.t3": _B,
    "he2015.t4": _B,
    "he2015.t6": {"shortcut": "A"},
    "kaiming.repo1crop": _B,
    "kaiming.repo10crop": _B,
    "he2016.t2": {},
    "he2016.t3": {},
    "he2016.t4": {},
    "he2016.t5": {},
    "he2016.bnafter101": _B,
}


@dataclass(frozen=True)
class _Order:
    """How tables tell an order of activations: by the row's name, by a column, or by a row of its own."""

    names: tuple[str, ...]
    column: str
    row: str


_ORDERS = {
    "original": _Order(
        ("{name}", "{name} {option}", "{name} original", "{name} (original)"),
        "original",
        "original Residual Unit",
    ),
    "bn_after_addition": _Order((), "", "BN after addition"),
    "relu_before_addition": _Order((), "", "ReLU before addition"),
    "relu_only_preact": _Order((), "", "ReLU-only pre-activation"),
    "full_preact": _Order(("{name} pre-act", "{name} (pre-act)"), "preact", "full pre-activation"),
}
_STATEMENTS: dict[str, tuple[str, ...]] = {
    "plain-cifar": ("plain-20", "plain-32", "plain-44", "plain-56"),
    "plain-110": ("plain-110",),
    "resnet1202": ("ResNet-1202",),
}
_WORDS = {"shortcut": "option {} shortcuts", "unit.stride_on": "stride on the {}"}


def figures(spec: ResNetSpec, paper: ResNetSpec | None) -> list[Figure]:
    """Everything that is published of the network ``spec``, whose counterpart in the papers is ``paper``."""
    if paper is None:
        return []
    return [*_tables(spec, paper), *_statements(spec, paper), *_released(spec, paper)]


def _tables(spec: ResNetSpec, paper: ResNetSpec) -> Iterator[Figure]:
    for key, network in _NETWORKS.items():
        table = published().table(key)
        for row in table.rows:
            values = _values(row, spec, paper)
            if values:
                yield _figure(table, row, values, spec, network)


def _values(row: Row, spec: ResNetSpec, paper: ResNetSpec) -> dict[str, Any]:
    """The figures of a row that are of this network; none if the row is of another one."""
    if not row.dataset.startswith({"imagenet": "ImageNet", "cifar": "CIFAR"}[spec.stem.kind]):
        return {}
    name, order = paper_name(paper), _ORDERS[spec.order.kind]
    if row.model == order.row:  # a column a network: "resnet110"
        column = name.lower().replace("-", "")
        return {"err": row.values[column]} if column in row.values else {}
    if row.model == name and order.column in row.values:
        return {"err": row.values[order.column]}
    if row.model in {form.format(name=name, option=spec.shortcut.kind) for form in order.names}:
        return {key: value for key, value in row.values.items() if key != "depth"}
    return {}


def _figure(
    table: Table, row: Row, values: dict[str, Any], spec: ResNetSpec, network: dict[str, str]
) -> Figure:
    named = row.model.endswith(f" {spec.shortcut.kind}")  # the row says itself which option it has
    differs = [
        _WORDS[key].format(value)
        for key, value in network.items()
        if spec.flat().get(key) != value
        and spec.merge.kind == "add"
        and not (key == "shortcut" and named)
        and not (key == "unit.stride_on" and spec.unit.kind != "bottleneck")
    ]
    return Figure(
        source=str(table),
        title=table.title,
        model=row.model,
        dataset=row.dataset,
        split=row.split,
        protocol=row.protocol,
        runs="" if "stat" in values else row.runs,
        values=values,
        status=row.status,
        differs=tuple(differs),
    )


def _statements(spec: ResNetSpec, paper: ResNetSpec) -> Iterator[Figure]:
    for key, models in _STATEMENTS.items():
        if spec.stem.kind == "cifar" and spec.order.kind == "original" and paper_name(paper) in models:
            said = published().observations[key]
            yield Figure(
                source=f"{said.source}, {said.where}",
                model=paper_name(paper),
                dataset="CIFAR-10",
                text=said.text,
                status=said.status,
            )


def _released(spec: ResNetSpec, paper: ResNetSpec) -> Iterator[Figure]:
    kinds = tuple(part.kind for part in (spec.stem, spec.merge, spec.order, spec.shortcut))
    same = kinds == ("imagenet", "add", "original", "B")
    if not same or (spec.unit.kind == "bottleneck" and spec.unit.stride_on != "3x3"):
        return  # torchvision's networks are v1.5 with option B
    for weights in published().weights:
        if (weights.library, weights.model) == ("torchvision", f"resnet{paper.depth}"):
            values = dict(weights.values)
            yield Figure(
                source=f"{weights.library} {values.pop('weights')}",
                title="released weights",
                model=weights.model,
                dataset=weights.dataset,
                split="validation",
                protocol=f"1-crop {values.pop('crop')}, shorter side resized to {values.pop('resize')}",
                values=values,
                status=weights.status,
            )
