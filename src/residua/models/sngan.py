"""The residual generator and discriminator of SNGAN (Miyato et al. 2018, appendix B.4), for images without classes.

Parameters of the CIFAR-10 pair, layer by layer after Table 4:

=============  ================================================================  =========
generator      dense 128 -> 4x4x256                                                528,384
               3 units up, 256: two 3x3 with biases, two norms, 1x1 shortcut     3 x 1,246,976
               norm, ReLU, 3x3 to 3, tanh                                            7,427
discriminator  unit down, 3 -> 128                                                 151,680
               unit down, 128 -> 128                                               311,680
               2 units, 128, identity shortcuts                                  2 x 295,168
               ReLU, global sum pooling, dense 128 -> 1                                129
=============  ================================================================  =========

The generator has 4,276,739, the discriminator 1,053,825. Importing this file imports no torch.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from residua.errors import UsageError
from residua.models.merges.sums import AddMerge
from residua.models.slots import DropPathSpec, MergeSpec, Place
from residua.registry import Family, register
from residua.spec import ModelSpec, positive

if TYPE_CHECKING:
    from torch import nn

    from residua.nn import DropPath, Residual
    from residua.nn.gan import GANPair


@dataclass(frozen=True, kw_only=True)
class SNGANSpec(ModelSpec):
    """A residual generator and discriminator.

    Images have ``bottom * 2 ** (len(generator) - 1)`` pixels a side. ``num_classes`` is that of the data: the pair
    makes images without classes, but the classifier whose features measure them has them.
    """

    family: str = "sngan"
    num_classes: int = 10
    latent: int = 128  # numbers that an image is made of, drawn from N(0, 1)
    bottom: int = 4  # side of the generator's first maps
    generator: tuple[int, ...] = (
        256,
        256,
        256,
        256,
    )  # channels of the first maps, then of each unit (each doubles)
    discriminator: tuple[int, ...] = (128, 128, 128, 128)  # channels of each unit
    halvings: int = 2  # how many of the discriminator's units halve the maps, from the first on
    spectral_norm: bool = True  # of every layer of the discriminator
    merge: MergeSpec = AddMerge()  # branch_only: both networks without their shortcuts
    critic_steps: int = (
        5  # of the discriminator for each of the generator, while training (n_dis in the paper)
    )
    drop_path: DropPathSpec = DropPathSpec()

    def validate(self) -> None:  # noqa: D102
        super().validate()
        positive(self, "latent", "bottom", "critic_steps")
        if len(self.generator) < 2 or not self.discriminator:
            raise UsageError(
                "a generator needs a width for its first maps and a unit, a discriminator a unit"
            )
        if min(self.generator + self.discriminator) < 1:
            raise UsageError(
                f"every unit needs a channel: {list(self.generator)}, {list(self.discriminator)}"
            )
        if not 0 <= self.halvings <= len(self.discriminator) or self.image_side % 2**self.halvings:
            raise UsageError(
                f"{len(self.discriminator)} units cannot halve {self.image_side} px {self.halvings} times"
            )
        if self.drop_path.rate and self.merge.plain:
            raise UsageError("a plain network has no shortcut to fall back on: drop_path needs merge='add'")
        if self.merge.streams > 1:
            raise UsageError(
                f"between these units there is one stream: merge {self.merge.kind!r} needs several"
            )
        if self.merge.of_maps:
            raise UsageError(f"merge {self.merge.kind!r} does not fit units that change the maps' size")

    @property
    def depth(self) -> int:
        """Convolutions and fully connected layers on the way from a latent to a score; shortcuts do not count."""
        return 2 * (len(self.generator) - 1) + 2 + 2 * len(self.discriminator) + 1

    @property
    def image_side(self) -> int:
        """Pixels of a side."""
        return self.bottom * 2 ** (len(self.generator) - 1)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape (C, S, S) of the images that are made."""
        return self.in_channels, self.image_side, self.image_side

    def input_shape(self, sample: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one latent, whatever the images are."""
        return self.usual_input

    @property
    def usual_input(self) -> tuple[int, ...]:
        """Shape of one latent: that is what the pair takes."""
        return (self.latent,)


def build(spec: SNGANSpec) -> GANPair:
    """The pair of a spec, initialised from torch's default generator."""
    from torch import nn

    from residua.nn import Chain
    from residua.nn.gan import GANPair, LatentStem, ScoreHead, glorot_init
    from residua.nn.spectral import SpectralLinear

    last = spec.generator[-1]
    generator = Chain(
        OrderedDict(
            stem=LatentStem(spec.latent, spec.generator[0], spec.bottom),
            units=Chain(*_generator_units(spec)),
            head=nn.Sequential(
                OrderedDict(
                    norm=nn.BatchNorm2d(last),
                    act=nn.ReLU(),
                    conv=nn.Conv2d(last, spec.in_channels, 3, padding=1),
                    tanh=nn.Tanh(),
                )
            ),
        )
    )
    dense = SpectralLinear if spec.spectral_norm else nn.Linear
    discriminator = Chain(
        OrderedDict(
            units=Chain(*_discriminator_units(spec)), head=ScoreHead(dense(spec.discriminator[-1], 1))
        )
    )
    pair = GANPair(spec=spec, generator=generator, discriminator=discriminator)
    glorot_init(pair)
    return pair


def _generator_units(spec: SNGANSpec) -> list[Residual]:
    """Units that double the maps: norm, ReLU, upsampling, 3x3, norm, ReLU, 3x3 (Miyato et al. 2018, Figure 9)."""
    from torch import nn

    units = []
    widths = list(pairwise(spec.generator))
    for (channels, width), drop in zip(widths, spec.drop_path.build(len(widths)), strict=True):
        branch = OrderedDict(
            norm1=nn.BatchNorm2d(channels),
            act1=nn.ReLU(),
            up=nn.Upsample(scale_factor=2),
            conv1=nn.Conv2d(channels, width, 3, padding=1),
            norm2=nn.BatchNorm2d(width),
            act2=nn.ReLU(),
            conv2=nn.Conv2d(width, width, 3, padding=1),
        )
        # a 1x1 convolution and nearest upsampling may change places: this order is the cheaper one
        shortcut = OrderedDict(conv=nn.Conv2d(channels, width, 1), up=nn.Upsample(scale_factor=2))
        units.append(_unit(spec, channels, width, branch, shortcut, drop))
    return units


def _discriminator_units(spec: SNGANSpec) -> list[Residual]:
    """Units of ReLU, 3x3, ReLU, 3x3, pooling; no norms, and no ReLU before the image itself."""
    from torch import nn

    from residua.nn.spectral import SpectralConv2d

    conv = SpectralConv2d if spec.spectral_norm else nn.Conv2d
    units, channels = [], spec.in_channels
    drops = spec.drop_path.build(len(spec.discriminator))
    for index, (width, drop) in enumerate(zip(spec.discriminator, drops, strict=True)):
        first, halves = index == 0, index < spec.halvings
        middle = width if first else channels  # as in the authors' code; equal in Table 4
        branch: OrderedDict[str, nn.Module] = OrderedDict()
        if not first:
            branch["act1"] = nn.ReLU()
        branch["conv1"] = conv(channels, middle, 3, padding=1)
        branch["act2"] = nn.ReLU()
        branch["conv2"] = conv(middle, width, 3, padding=1)
        shortcut: OrderedDict[str, nn.Module] = OrderedDict()
        if halves:
            branch["pool"] = nn.AvgPool2d(2)
            shortcut["pool"] = nn.AvgPool2d(
                2
            )  # before the 1x1 convolution: the same values for a quarter of the work
        if halves or channels != width:
            shortcut["conv"] = conv(channels, width, 1)
        units.append(_unit(spec, channels, width, branch, shortcut, drop))
        channels = width
    return units


def _unit(
    spec: SNGANSpec,
    channels: int,
    width: int,
    branch: OrderedDict[str, Any],
    shortcut: OrderedDict[str, Any],
    drop: DropPath,
) -> Residual:
    from torch import nn

    from residua import nn as bricks

    return bricks.Residual(
        nn.Sequential(branch),
        nn.Sequential(shortcut) if shortcut and not spec.merge.plain else None,
        merge=spec.merge.build(Place(channels, width, width), width),
        drop_path=drop,
    )


_SMALL = SNGANSpec(
    name="sngan_digits",
    in_channels=1,
    latent=32,
    bottom=2,
    generator=(64, 64, 64),
    discriminator=(64, 64, 64),
    halvings=2,
    critic_steps=2,
)
_PAIRS = (
    SNGANSpec(name="sngan_cifar"),  # Table 4
    SNGANSpec(  # Table 5
        name="sngan_stl",
        bottom=6,
        generator=(512, 256, 128, 64),
        discriminator=(64, 128, 256, 512, 1024),
        halvings=4,
    ),
    _SMALL,
    _SMALL.change(name="sngan_tiny", latent=8, generator=(16, 16, 16), discriminator=(16, 16)),
)

register(
    Family(
        name="sngan",
        spec_class=SNGANSpec,
        build=build,
        named={
            pair.name: pair
            for spec in _PAIRS
            for pair in (spec, spec.change(name=f"plain_{spec.name}", merge="branch_only"))
        },
        task="gan",
        recipe="gan",
        tiny="sngan_tiny",
        capabilities=frozenset({"export", "compile"}),
    )
)
