"""Recipes that reach an accuracy with fewer images than the papers' own. Where each comes from: recipe_notes.py.

Importing this file imports no torch.
"""

from __future__ import annotations

from dataclasses import replace

from residua.data.augment.alternating_flip import AlternatingFlip
from residua.data.augment.crop import Crop
from residua.data.augment.crop_flip import CropFlip
from residua.data.augment.cutout import Cutout
from residua.data.resolution.progressive import Progressive
from residua.spec import Recipe
from residua.train.averaging.ema import EMA
from residua.train.averaging.lookahead import Lookahead
from residua.train.finetuning.head_first import HeadFirst
from residua.train.optimizers.adamw import AdamW
from residua.train.optimizers.muon import Muon
from residua.train.optimizers.sgd import SGD
from residua.train.schedules.cosine import Cosine
from residua.train.schedules.one_cycle import OneCycle
from residua.train.tasks.classification import Classification

# Shared by the recipes for images of 32 pixels: reflected crops, alternating mirror images, one cycle down to zero
_FAST = Recipe(
    name="fast",
    epochs=18,  # on CIFAR a tenth of the images that he2015-cifar sees
    batch_size=128,
    optimizer=SGD(nesterov=True),
    lr=0.2,
    weight_decay=5e-4,
    schedule=OneCycle(peak=0.2),
    augmentation=(Crop(padding="reflect"), AlternatingFlip(always=False)),
)

# FFCV's three of its six lengths for ResNet-50: the same recipe, stretched. Its eight processes took 512 images each at
# a rate of 1.7; here the rate goes with the batch (Goyal et al. 2017, sec. 2.1).
_LECLERC2023 = Recipe(
    name="leclerc2023-imagenet-16",
    task=Classification(label_smoothing=0.1),
    epochs=16,
    batch_size=1024,
    optimizer=SGD(),
    lr=1.7 / 4,
    weight_decay=1e-4,
    decay_norm=False,
    schedule=OneCycle(peak=2 / 16, start=1e-4),
    augmentation=(CropFlip(flip=True),),
    # of 256 pixels, at which it is evaluated: 160 until three quarters of the way, then 192
    resolution=Progressive(smallest=160 / 256, largest=192 / 256, begin=0.75, end=0.75, multiple=32),
)

FAST: tuple[Recipe, ...] = (
    _FAST,
    _FAST.change(name="fast-muon", optimizer=Muon(), lr=0.1),
    # capacity to spare: regularised more, and a mean of the weights
    _FAST.change(
        name="fast-wide",
        task=Classification(label_smoothing=0.1),
        epochs=30,
        lr=0.1,
        bias_lr=4.0,
        averaging=Lookahead(steps=5, alpha=0.226, ramp=3.0),
        augmentation=(Crop(padding="reflect"), AlternatingFlip(always=False), Cutout(size=12)),
    ),
    _LECLERC2023,
    *(
        replace(
            _LECLERC2023,
            name=f"leclerc2023-imagenet-{epochs}",
            epochs=epochs,
            schedule=OneCycle(peak=2 / epochs, start=1e-4),
        )
        for epochs in (32, 88)
    ),
    # "finetune" in fewer steps; the mean of the weights stands in for the end of a long decay
    Recipe(
        name="finetune-fast",
        epochs=7,
        batch_size=32,
        optimizer=AdamW(),
        lr=2e-3,
        weight_decay=0.05,
        clip_norm=1.0,
        schedule=Cosine(),
        warmup=0.2,
        finetuning=HeadFirst(),
        averaging=EMA(decay=0.98),
    ),
)
