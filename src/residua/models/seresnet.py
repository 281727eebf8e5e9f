"""ResNets and ResNeXts whose branches end in squeeze-and-excitation (Hu et al. 2018), as timm has them.

The spec is ResNet's; imports no torch.
"""

from __future__ import annotations

from residua.models.resnet import CIFAR, ResNetSpec, build
from residua.models.units.basic import BasicUnit
from residua.models.units.bottleneck import BottleneckUnit
from residua.models.units.squeezed import SqueezedUnit
from residua.registry import Family, register

_UNITS = {
    "seresnet18": (BasicUnit(), (2, 2, 2, 2)),
    "seresnet50": (BottleneckUnit(), (3, 4, 6, 3)),
    "seresnext50_32x4d": (BottleneckUnit(cardinality=32, path_width=4), (3, 4, 6, 3)),
}


def _named() -> dict[str, ResNetSpec]:
    specs = [
        ResNetSpec(family="seresnet", name=name, unit=SqueezedUnit(of=unit), depths=depths)
        for name, (unit, depths) in _UNITS.items()
    ]
    specs.append(specs[0].change(name="cifar_seresnet8", depths=(1, 1, 1), widths=(16, 32, 64), **CIFAR))
    return {spec.name: spec for spec in specs}


register(Family(name="seresnet", spec_class=ResNetSpec, build=build, named=_named(), tiny="cifar_seresnet8"))
