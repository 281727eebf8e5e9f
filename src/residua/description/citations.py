"""What libraries and papers print of a network that carries their name, or stands in their tables under another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from residua.published import published

# a pattern of our names: table, row; groups of the pattern fill the row's name
_ROWS: tuple[tuple[str, str, str], ...] = (
    (r"wrn_(\d+)_(\d+)", "wrn.t4", "WRN-{0}-{1}"),
    (r"wide_resnet50_2", "wrn.t8", "WRN-50-2-bottleneck"),
    (r"cifar_resnext29_(\d+)x(\d+)d", "resnext.t7", "ResNeXt-29, {0}x{1}d"),
    (r"resnext101_64x4d", "resnext.t5", "ResNeXt-101 (64x4d)"),
    (r"densenet_(\d+)_(\d+)", "densenet.t2", "DenseNet (L={0}, k={1})"),
    (r"densenet_bc_(\d+)_(\d+)", "densenet.t2", "DenseNet-BC (L={0}, k={1})"),
    (r"densenet(121|169|201)", "densenet.t3", "DenseNet-{0}"),
    (r"resnest(\d+)", "resnest.repo", "ResNeSt-{0}"),
    (r"vit_ti_16", "deit.repo", "DeiT-tiny"),
    (r"vit_s_16", "deit.repo", "DeiT-small"),
    (r"vit_b_16", "deit.repo", "DeiT-base"),
    (r"vit_b_16", "vit.repo", "ViT-B_16"),
    (r"vit_l_16", "vit.repo", "ViT-L_16"),
    (r"r3d_(18|34|50)", "hara.avg", "ResNet-{0}"),
    (r"sngan_cifar", "sngan.t2", "ResNet, SN-GAN, Eq. 17"),
    (r"vgg(16|19)", "he2015.t1flops", "VGG-{0}"),
    (r"vgg16", "he2015.t3", "VGG-16"),
    (r"googlenet", "he2015.t3", "GoogLeNet"),
)


@dataclass(frozen=True, kw_only=True)
class Citation:
    """A published row: where it stands, what it was measured on, its figures, how far it was verified."""

    source: str
    model: str
    about: str
    values: Mapping[str, Any]
    status: str

    def __str__(self) -> str:
        figures = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in self.values.items())
        about = f" ({self.about})" if self.about else ""
        unconfirmed = "" if self.status == "verified" else " [unconfirmed]"
        return f"{self.source}{about}: {self.model}: {figures}{unconfirmed}"


def citations(name: str) -> Iterator[Citation]:
    """The published rows of the network called ``name``."""
    known = published()
    for counted in known.counts:
        if counted.model == name:
            values = {"parameters": counted.parameters, "multiply-adds / 1e9": counted.gflops}
            yield Citation(
                source=counted.library,
                model=name,
                about="",
                values={key: value for key, value in values.items() if value is not None},
                status=counted.status,
            )
    for weights in known.weights:
        if weights.model == name:
            values = dict(weights.values)
            yield Citation(
                source=f"{weights.library} {values.pop('weights', '')}".strip(),
                model=name,
                about=weights.dataset,
                values=values,
                status=weights.status,
            )
    for pattern, table_name, row_name in _ROWS:
        match = re.fullmatch(pattern, name)
        if match:
            table = known.table(table_name)
            for row in table.rows:
                if row.model == row_name.format(*match.groups()):
                    about = ", ".join(filter(None, (row.dataset, row.split, row.protocol, row.runs)))
                    yield Citation(
                        source=str(table), model=row.model, about=about, values=row.values, status=row.status
                    )
