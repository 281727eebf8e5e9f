"""A ResNet beside the papers: which of their networks it is, what deviates, and the multiply-adds they print."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from residua.analysis.cost import totals
from residua.description.readings import readings
from residua.errors import UsageError
from residua.models.resnet import ResNetSpec, cifar_spec
from residua.published import Status, published
from residua.registry import family, model_spec

_STRUCTURE = (
    *("family", "unit", "depths", "widths", "stem", "stem.width", "merge"),
    *("unit.expansion", "unit.cardinality", "unit.path_width", "norm", "activation", "transition"),
)


@dataclass(frozen=True, kw_only=True)
class FlopsStep:
    """A reason why this network's multiply-adds differ from the paper's, and by how much."""

    reason: str
    multiply_adds: int


@dataclass(frozen=True, kw_only=True)
class PrintedFlops:
    """The figure that the paper prints (1e9 multiply-adds) beside the exact count of the paper's own network."""

    source: str
    model: str
    printed: float
    status: Status
    exact: int  # of the paper's network at 3x224x224 and 1000 classes
    rounding: str  # how the printed figure comes from the exact one
    steps: tuple[FlopsStep, ...]  # from the paper's network to this one; they sum up to the difference


def twin(spec: ResNetSpec) -> ResNetSpec | None:
    """The network of He et al. (2015, or 2016 for CIFAR bottlenecks) with the structure of ``spec``, if there is one.

    It has the paper's own shortcuts, order, stride placement, channels and classes.
    """
    plain = spec.merge.plain
    if spec.stem.kind == "imagenet":
        basic = spec.unit.kind == "basic"
        name = f"{'plain' if plain and basic else 'resnet'}{spec.depth}{'' if basic else '_v1'}"
        if name not in family("resnet").named:
            return None
        paper = model_spec(name)
        assert isinstance(paper, ResNetSpec)
        # Table 2 and Figure 3 build the basic nets with option A; sec. 4.1 the bottleneck nets with B
        paper = paper.change(shortcut="A" if basic else "B")
    else:
        if spec.unit.kind not in ("basic", "bottleneck"):
            return None
        try:
            paper = cifar_spec(spec.depth, unit=spec.unit.kind, plain=plain)
        except UsageError:
            return None
    one, other = paper.flat(), spec.flat()
    return paper if all(one.get(key) == other.get(key) for key in _STRUCTURE) else None


def paper_name(paper: ResNetSpec) -> str:
    """How the papers call a network: ``ResNet-50``, ``plain-34``."""
    return f"{'plain' if paper.merge.plain else 'ResNet'}-{paper.depth}"


def changes(spec: ResNetSpec) -> list[str]:
    """What differs from the registered network of the same name."""
    try:
        registered = model_spec(spec.name)
    except UsageError:  # a name of the user's own
        return []
    here, there = spec.flat(), registered.flat()
    return [
        f"{key} = {_show(here[key])} (registered: {_show(there.get(key))})"
        for key in here
        if here[key] != there.get(key) and ("." not in key or key in there)
    ]


def deviations(spec: ResNetSpec, paper: ResNetSpec | None) -> list[str]:
    """What is not as in He et al. 2015."""
    if paper is None and spec.merge.kind in _MERGES:
        return _unit_deviations(spec)
    if paper is None:
        unit = spec.unit.flat()
        paths = f" of {unit['cardinality']} x {unit['path_width']} channels" if unit.get("path_width") else ""
        depths, widths = ("-".join(map(str, sizes)) for sizes in (spec.depths, spec.widths))
        shape = f"{depths} {spec.unit.kind} units{paths}, widths {widths}"
        return [
            f"no network of He et al. 2015 has these stages ({shape}, {spec.stem.kind} stem)",
            *_unit_deviations(spec),
        ]
    found = _unit_deviations(spec)
    if not spec.merge.plain and spec.shortcut != paper.shortcut:
        found.append(_shortcut_deviation(spec))
    if spec.stem.kind == "cifar" and spec.unit.kind == "bottleneck":
        found.append("bottlenecks on CIFAR are from He et al. 2016; the 2015 paper has basic units there")
    return found


def printed_flops(
    spec: ResNetSpec, paper: ResNetSpec | None, input_shape: tuple[int, ...], exact: int
) -> PrintedFlops | None:
    """Table 1's figure for this network, how it comes from the exact count, and why ``exact`` differs.

    None where the paper prints no figure: CIFAR nets, pre-activation nets, other structures.
    """
    if paper is None or paper.stem.kind != "imagenet" or spec.order.kind != "original":
        return None
    table = published().table("he2015.t1flops")
    name = paper_name(paper)
    row = next((row for row in table.rows if row.model == name), None)
    if row is None:
        return None
    steps, at = [], paper
    count = base = totals(paper, paper.usual_input)[1]
    for key, reason in _STEPS:
        if spec.flat().get(key) == at.flat().get(key):
            continue
        at = at.change(**{key: spec.flat()[key]})
        after = totals(at, at.usual_input)[1]
        if after != count:  # splitting the zeros of option A costs nothing
            steps.append(FlopsStep(reason=reason.format(paper=paper, spec=spec), multiply_adds=after - count))
        count = after
    after = totals(spec, input_shape)[1]
    if after != count:
        shape = "x".join(map(str, input_shape))
        steps.append(FlopsStep(reason=f"the input is {shape}", multiply_adds=after - count))
    if exact != after:
        steps.append(FlopsStep(reason="the built network was changed by hand", multiply_adds=exact - after))
    return PrintedFlops(
        source=str(table),
        model=name,
        printed=row.values["gflops"],
        status=row.status,
        exact=base,
        rounding=_rounding(row.values["gflops"], base),
        steps=tuple(steps),
    )


_STEPS = (
    ("unit.stride_on", "stride 2 on the 3x3 (v1.5): the first 1x1 of a stage works on the larger map"),
    ("shortcut", "shortcuts of option {spec.shortcut.kind} instead of {paper.shortcut.kind}"),
    ("in_channels", "{spec.in_channels} input channels instead of 3"),
    ("num_classes", "{spec.num_classes} classes instead of 1000"),
)


def _rounding(printed: float, exact: int) -> str:
    billions = exact / 1e9
    rounded, cut = round(billions, 1) == printed, math.floor(billions * 10) / 10 == printed
    if rounded:
        return f"{billions:.3f} rounded"
    return f"{billions:.3f} cut, not rounded" if cut else f"not what {billions:.3f} rounds to"


_ORDERS = {
    "bn_after_addition": "norm and ReLU after the sum, no norm at the branch's end",
    "relu_before_addition": "the last ReLU stands on the branch, before the sum",
    "relu_only_preact": "a ReLU before each convolution and a norm after it, nothing after the sum",
}
_MERGES = {
    "constant_scaling": "shortcut and branch are scaled by constants",
    "exclusive_gating": "a gate of the input opens the branch and closes the shortcut",
    "shortcut_only_gating": "a gate of the input closes the shortcut",
}


def _unit_deviations(spec: ResNetSpec) -> list[str]:
    unit, order, merge = spec.unit.flat(), spec.order.kind, spec.merge.kind
    bottleneck = spec.unit.kind == "bottleneck"
    rules = (
        (
            bottleneck and unit.get("stride_on") == "3x3" and len(spec.depths) > 1,
            "v1.5: the stride of 2 stands on the 3x3 of a stage's first bottleneck (fb.resnet.torch, torchvision); "
            "the paper puts it on the first 1x1 (stride_on = 1x1)",
        ),
        (order in _ORDERS, f"{_ORDERS.get(order)} (He et al. 2016, Figure 4)"),
        (merge in _MERGES, f"{_MERGES.get(merge)} (He et al. 2016, Table 1)"),
        (
            order == "full_preact",
            "full pre-activation units (He et al. 2016, Figure 4e): norm and ReLU stand before each convolution, "
            "none after the sum, and a last norm and ReLU after the last unit",
        ),
        (
            unit.get("cardinality", 1) > 1,
            f"the 3x3 of a bottleneck is {unit.get('cardinality')} parallel paths, a grouped convolution "
            "(Xie et al. 2016)",
        ),
        (
            spec.unit.kind not in ("basic", "bottleneck"),
            f"units of kind {spec.unit.kind!r} are not of the paper",
        ),
        (
            bottleneck and unit["expansion"] != 4,
            f"bottlenecks expand {unit.get('expansion')}-fold; the paper's 4-fold",
        ),
        (spec.merge.plain and bottleneck, "the paper builds plain nets of basic units only"),
        (
            spec.zero_init,
            "every branch starts at zero (Goyal et al. 2017), so every unit starts as its shortcut",
        ),
        (
            unit.get("dropout", 0) > 0,
            f"dropout of {unit.get('dropout', 0):g} before the last convolution of a branch "
            "(Zagoruyko & Komodakis 2016)",
        ),
        (
            spec.drop_path.rate > 0,
            f"stochastic depth (Huang et al. 2016), {spec.drop_path.rule} up to a drop rate of {spec.drop_path.rate:g}",
        ),
    )
    return [text for applies, text in rules if applies] + readings(spec)


def _shortcut_deviation(spec: ResNetSpec) -> str:
    has = {
        "A": "option A: parameter-free shortcuts",
        "A-split": "option A with the zeros on both sides (a widely used peer); the paper says zero entries for the "
        "increased dimensions, and most codes append them",
        "B": "option B: projections where the shape changes",
        "C": "option C: projections everywhere",
        "dropout": "option A with a dropout of half of the values (He et al. 2016, Table 1)",
    }[spec.shortcut.kind]
    if spec.stem.kind == "cifar":
        return f"{has}; the paper uses option A in all CIFAR nets (sec. 4.2)"
    if spec.unit.kind == "bottleneck":
        return f"{has}; the paper's bottleneck nets have option B (sec. 4.1)"
    measured = "Table 3 measures A, B and C" if spec.depth == 34 else "no other option is published"
    return f"{has}; Table 2 has option A for {spec.depth} layers, {measured}"


def _show(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
