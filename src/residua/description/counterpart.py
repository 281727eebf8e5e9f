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
    *("family", "unit", "depths", "widths", "stem", "stem_width", "merge", "expansion"),
    *("cardinality", "path_width"),
)


@dataclass(frozen=True, kw_only=True)
class Step:
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
    steps: tuple[Step, ...]  # from the paper's network to this one; they sum up to the difference


def twin(spec: ResNetSpec) -> ResNetSpec | None:
    """The network of He et al. (2015, or 2016 for CIFAR bottlenecks) with the structure of ``spec``, if there is one.

    It has the paper's own shortcuts, order, stride placement, channels and classes.
    """
    plain = spec.merge == "branch_only"
    if spec.stem == "imagenet":
        basic = spec.unit == "basic"
        name = f"{'plain' if plain and basic else 'resnet'}{spec.depth}{'' if basic else '_v1'}"
        if name not in family("resnet").named:
            return None
        paper = model_spec(name)
        assert isinstance(paper, ResNetSpec)
        # Table 2 and Figure 3 build the basic nets with option A; sec. 4.1 the bottleneck nets with B
        paper = paper.change(shortcut="A" if basic else "B")
    else:
        if spec.unit not in ("basic", "bottleneck"):
            return None
        try:
            paper = cifar_spec(spec.depth, unit=spec.unit, plain=plain)
        except UsageError:
            return None
    return paper if all(getattr(paper, key) == getattr(spec, key) for key in _STRUCTURE) else None


def paper_name(paper: ResNetSpec) -> str:
    """How the papers call a network: ``ResNet-50``, ``plain-34``."""
    return f"{'plain' if paper.merge == 'branch_only' else 'ResNet'}-{paper.depth}"


def changes(spec: ResNetSpec) -> list[str]:
    """What differs from the registered network of the same name."""
    try:
        registered = model_spec(spec.name)
    except UsageError:  # a name of the user's own
        return []
    here, there = spec.to_dict(), registered.to_dict()
    return [
        f"{key} = {_show(here[key])} (registered: {_show(there.get(key))})"
        for key in here
        if here[key] != there.get(key)
    ]


def deviations(spec: ResNetSpec, paper: ResNetSpec | None) -> list[str]:
    """What is not as in He et al. 2015."""
    if paper is None and spec.merge in _MERGES:
        return _unit_deviations(spec)
    if paper is None:
        paths = f" of {spec.cardinality} x {spec.path_width} channels" if spec.path_width else ""
        depths, widths = ("-".join(map(str, sizes)) for sizes in (spec.depths, spec.widths))
        shape = f"{depths} {spec.unit} units{paths}, widths {widths}"
        return [
            f"no network of He et al. 2015 has these stages ({shape}, {spec.stem} stem)",
            *_unit_deviations(spec),
        ]
    found = _unit_deviations(spec)
    if spec.merge != "branch_only" and spec.shortcut != paper.shortcut:
        found.append(_shortcut_deviation(spec))
    if spec.stem == "cifar" and spec.unit == "bottleneck":
        found.append("bottlenecks on CIFAR are from He et al. 2016; the 2015 paper has basic units there")
    return found


def printed_flops(
    spec: ResNetSpec, paper: ResNetSpec | None, input_shape: tuple[int, ...], exact: int
) -> PrintedFlops | None:
    """Table 1's figure for this network, how it comes from the exact count, and why ``exact`` differs.

    None where the paper prints no figure: CIFAR nets, pre-activation nets, other structures.
    """
    if paper is None or paper.stem != "imagenet" or spec.order != "original":
        return None
    table = published().table("he2015.t1flops")
    name = paper_name(paper)
    row = next((row for row in table.rows if row.model == name), None)
    if row is None:
        return None
    steps, at = [], paper
    count = base = totals(paper, paper.usual_input)[1]
    for key, reason in _STEPS:
        if getattr(spec, key) == getattr(at, key):
            continue
        at = at.change(**{key: getattr(spec, key)})
        after = totals(at, at.usual_input)[1]
        if after != count:  # splitting the zeros of option A costs nothing
            steps.append(Step(reason=reason.format(paper=paper, spec=spec), multiply_adds=after - count))
        count = after
    after = totals(spec, input_shape)[1]
    if after != count:
        shape = "x".join(map(str, input_shape))
        steps.append(Step(reason=f"the input is {shape}", multiply_adds=after - count))
    if exact != after:
        steps.append(Step(reason="the built network was changed by hand", multiply_adds=exact - after))
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
    ("stride_on", "stride 2 on the 3x3 (v1.5): the first 1x1 of a stage works on the larger map"),
    ("shortcut", "shortcuts of option {spec.shortcut} instead of {paper.shortcut}"),
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
    bottleneck = spec.unit == "bottleneck"
    rules = (
        (
            bottleneck and spec.stride_on == "3x3" and len(spec.depths) > 1,
            "v1.5: the stride of 2 stands on the 3x3 of a stage's first bottleneck (fb.resnet.torch, torchvision); "
            "the paper puts it on the first 1x1 (stride_on = 1x1)",
        ),
        (spec.order in _ORDERS, f"{_ORDERS.get(spec.order)} (He et al. 2016, Figure 4)"),
        (spec.merge in _MERGES, f"{_MERGES.get(spec.merge)} (He et al. 2016, Table 1)"),
        (
            spec.order == "full_preact",
            "full pre-activation units (He et al. 2016, Figure 4e): norm and ReLU stand before each convolution, "
            "none after the sum, and a last norm and ReLU after the last unit",
        ),
        (
            spec.cardinality > 1,
            f"the 3x3 of a bottleneck is {spec.cardinality} parallel paths, a grouped convolution (Xie et al. 2016)",
        ),
        (spec.unit not in ("basic", "bottleneck"), f"units of kind {spec.unit!r} are not of the paper"),
        (bottleneck and spec.expansion != 4, f"bottlenecks expand {spec.expansion}-fold; the paper's 4-fold"),
        (spec.merge == "branch_only" and bottleneck, "the paper builds plain nets of basic units only"),
        (
            spec.zero_init,
            "every branch starts at zero (Goyal et al. 2017), so every unit starts as its shortcut",
        ),
        (
            spec.dropout > 0,
            f"dropout of {spec.dropout:g} before the last convolution of a branch (Zagoruyko & Komodakis 2016)",
        ),
        (
            spec.drop_path > 0,
            f"stochastic depth (Huang et al. 2016), {spec.drop_path_rule} up to a drop rate of {spec.drop_path:g}",
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
    }[spec.shortcut]
    if spec.stem == "cifar":
        return f"{has}; the paper uses option A in all CIFAR nets (sec. 4.2)"
    if spec.unit == "bottleneck":
        return f"{has}; the paper's bottleneck nets have option B (sec. 4.1)"
    measured = "Table 3 measures A, B and C" if spec.depth == 34 else "no other option is published"
    return f"{has}; Table 2 has option A for {spec.depth} layers, {measured}"


def _show(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)
