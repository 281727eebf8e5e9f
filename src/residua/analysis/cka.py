"""Linear centred kernel alignment: how alike two layers see the same images (Kornblith et al. 2019, sec. 3).

1 if one layer's features are the other's, turned, mirrored or scaled as a whole. Of few images with many features the
usual estimate tends to 1 whatever the layers are; the unbiased one (Song et al. 2012; Nguyen et al. 2021, eq. 3) does
not, and so it is the default here. It can fall a little below 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from residua.errors import UsageError


def gram(features: Tensor) -> Tensor:
    """Products of all pairs of images of features ``(N, ...)``: ``(N, N)`` in float64."""
    flat = features.detach().flatten(1).double()
    flat = flat - flat.mean(0)  # changes nothing but the rounding: the matrix is centred later
    return flat @ flat.T


def similarities(grams: Sequence[Tensor], *, debiased: bool = True) -> Tensor:
    """CKA of every pair of ``grams`` of the same images, ``(len, len)``; NaN where all images give the same.

    Raises UsageError for different numbers of images, and fewer than 4.
    """
    sizes = {len(one) for one in grams}
    if len(sizes) > 1:
        raise UsageError(f"CKA compares features of the same images, not of {sorted(sizes)}")
    if grams and len(grams[0]) < 4:
        raise UsageError(f"CKA needs at least 4 images, not {len(grams[0])}")
    centre = _centred_unbiased if debiased else _centred
    flat = torch.stack([centre(one).flatten() for one in grams])
    flat = flat / flat.norm(dim=1, keepdim=True)
    return flat @ flat.T


def _centred(gram: Tensor) -> Tensor:
    return gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()


def _centred_unbiased(gram: Tensor) -> Tensor:
    """Centred as Székely and Rizzo 2014 do: no image is compared with itself, and the expectation is right."""
    count = len(gram)
    apart = gram - gram.diag().diag()
    sums = apart.sum(0) / (count - 2)
    centred = apart - sums - sums[:, None] + apart.sum() / ((count - 1) * (count - 2))
    return centred - centred.diag().diag()
