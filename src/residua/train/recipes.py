"""Recipes as data. Importing this file imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from residua.data.augment.crop_flip import CropFlip
from residua.errors import UsageError, nearest
from residua.spec import Recipe
from residua.train.fast_recipes import FAST
from residua.train.finetuning.head_first import HeadFirst
from residua.train.optimizers.adamw import AdamW
from residua.train.optimizers.sgd import SGD
from residua.train.schedules.cosine import Cosine
from residua.train.schedules.linear import Linear
from residua.train.schedules.step import Step

_NESTEROV = SGD(nesterov=True)

_HE2015_CIFAR = Recipe(  # He et al. 2015, sec. 4.2
    name="he2015-cifar",
    iterations=64_000,
    batch_size=128,
    lr=0.1,
    weight_decay=1e-4,
    schedule=Step(milestones=(0.5, 0.75)),  # 32k and 48k
    augmentation=(CropFlip(pad=4, flip=True),),
)

# Miyato et al. 2018, sec. 4 and appendix: Adam(0, 0.9), five steps of the discriminator on 64 images each for one of
# the generator, 100k of these, a rate that falls to zero. Adam is AdamW without decay.
_MIYATO2018_CIFAR = Recipe(
    name="miyato2018-cifar",
    iterations=100_000,
    batch_size=5 * 64,
    optimizer=AdamW(beta1=0.0, beta2=0.9),
    lr=2e-4,
    weight_decay=0.0,
    schedule=Linear(),
    augmentation=(CropFlip(pad=0),),
)

_QUICK = Recipe(
    name="quick",
    epochs=20,
    batch_size=64,
    optimizer=_NESTEROV,
    lr=0.1,
    weight_decay=5e-4,
    schedule=Linear(),
    warmup=0.15,
)

# AdamW, decay of matrices only and a cosine after a warm-up (Touvron et al. 2021, Table 9), at rates that suit
# small networks on small images
_VIT = Recipe(
    name="vit",
    epochs=60,
    batch_size=64,
    optimizer=AdamW(),
    lr=1e-3,
    weight_decay=0.05,
    clip_norm=1.0,
    schedule=Cosine(),
    warmup=0.1,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _QUICK,
        # the bundled digits: crops shift them by a pixel, and a mirrored digit is no digit
        _QUICK.change(name="digits", epochs=40),
        _VIT,
        # beta2, clipping and the cosine after a warm-up are those of Brown et al. 2020, appendix B
        _VIT.change(
            name="language",
            epochs=3,
            batch_size=32,
            optimizer=AdamW(beta2=0.95),
            lr=2e-3,
            weight_decay=0.1,
            warmup=0.05,
        ),
        _MIYATO2018_CIFAR,
        # the small pair on the digits: two steps of the discriminator for one of the generator, at a higher rate
        _MIYATO2018_CIFAR.change(name="gan", epochs=60, iterations=None, batch_size=2 * 64, lr=1e-3),
        # from trained weights: the head first, then everything at layer-wise rates (train/finetuning). AdamW takes
        # networks of every family at one rate; without its warm-up the second part would begin with a jump
        _VIT.change(
            name="finetune",
            epochs=20,
            batch_size=32,
            lr=2e-3,
            warmup=0.2,
            finetuning=HeadFirst(),
        ),
        # scenes of digits, for the small detector and the small segmenter
        _VIT.change(
            name="scenes", epochs=6, batch_size=16, lr=5e-3, weight_decay=1e-2, warmup=0.05, clip_norm=10.0
        ),
        # AdamW as Gorishniy et al. 2021 (appendix F) train it, with a rate that falls to zero
        _VIT.change(name="table", epochs=40, weight_decay=1e-4, clip_norm=None, warmup=0.0, augmentation=[]),
        # motion is learnt within a few passes over the clips
        _QUICK.change(name="clips", epochs=6),
        # every step costs tens of evaluations: fewer epochs than of other networks, at a higher rate
        _QUICK.change(name="ode", lr=0.2),
        _HE2015_CIFAR,
        # "we use 0.01 to warm up the training until the training error is below 80 % (about 400 iterations)":
        # the paper's rule looks at the error; its 400 iterations are what stands here
        _HE2015_CIFAR.change(
            name="he2015-cifar-110", warmup=400 / 64_000, warmup_factor=0.1, warmup_shape="constant"
        ),
        # Zagoruyko & Komodakis 2016, "Implementation details"; they pad with reflections, here with zeros
        _HE2015_CIFAR.change(
            name="zagoruyko2016-cifar",
            iterations=None,
            epochs=200,
            optimizer=_NESTEROV,
            weight_decay=5e-4,
            schedule=Step(milestones=(0.3, 0.6, 0.8), gamma=0.2),  # epochs 60, 120 and 160
        ),
        _HE2015_CIFAR.change(  # Huang et al. 2016, sec. 4: divided at epochs 250 and 375
            name="huang2016-cifar", iterations=None, epochs=500, optimizer=_NESTEROV
        ),
        _HE2015_CIFAR.change(  # Huang et al. 2017 (DenseNet), sec. 4.2
            name="huang2017-cifar", iterations=None, epochs=300, batch_size=64, optimizer=_NESTEROV
        ),
        # He et al. 2015, sec. 3.4, divide by 10 "when the error plateaus", up to 600k iterations; fixed epochs 30 and
        # 60 of 90 are fb.resnet.torch's reading, the deviation that everybody has followed since. Crops are of
        # random size and aspect (Szegedy et al. 2015) instead of the paper's scale augmentation.
        _HE2015_CIFAR.change(
            name="he2015-imagenet",
            iterations=None,
            epochs=90,
            batch_size=256,
            schedule=Step(milestones=(30 / 90, 60 / 90)),
            augmentation=(CropFlip(flip=True),),
        ),
        *FAST,
    )
}


def recipe(value: str | Recipe | Mapping[str, Any], **changes: Any) -> Recipe:
    """The recipe of a name, of a recipe or of its dictionary, with ``changes`` applied.

    Changing ``epochs`` of a recipe that counts iterations makes it count epochs; options of a task that is not named
    (``label_smoothing``) are those of classification. Raises UsageError.
    """
    if isinstance(value, str):
        if value not in RECIPES:
            raise UsageError(f"unknown recipe {value!r}{nearest(value, RECIPES)}")
        value = RECIPES[value]
    if not isinstance(value, Recipe):
        value = Recipe.from_dict(value)
    if "epochs" in changes:
        changes.setdefault("iterations", None)
    if value.task is None and any(_is_option_of_task(*change) for change in changes.items()):
        value = value.change(task="classification")
    return value.change(**changes) if changes else value


def _is_option_of_task(name: str, value: Any) -> bool:
    of_table = name == "task" and isinstance(value, Mapping) and "kind" not in value
    return of_table or Recipe.placed(name)[0].startswith("task.")
