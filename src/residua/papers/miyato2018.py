"""Miyato, Kataoka, Koyama & Yoshida 2018, "Spectral Normalization for GANs": a residual generator and discriminator."""

from __future__ import annotations

from residua.experiments import Arm, Experiment, Paper, PublishedRow
from residua.experiments.experiment import Setting
from residua.experiments.rules import greater
from residua.experiments.scales import Settings, not_judged
from residua.parts import register

# a deeper discriminator than the smallest pair's, whose four layers need no shortcuts
_DEEP = {"discriminator": [16] * 8}

# long enough to diverge, with the distance after every epoch
_QUICK: Settings = {
    "quick": Setting(
        arms=(
            Arm("with residuals", "sngan_tiny", changes=_DEEP),
            Arm("without", "plain_sngan_tiny", changes=_DEEP),
        ),
        rules={
            "without shortcuts the images are further from the real ones (Fréchet distance)": greater(
                "test_frechet_distance", "without", "with residuals", smallest=1.0
            )
        },
        recipe="gan",
        changes={"epochs": 40},
        curves=True,
    )
}

_EXPERIMENTS = (
    Experiment(
        id="miyato2018/residuals",
        title="A GAN with and without the shortcuts of its two networks",
        zh="生成器与判别器有无捷径的 GAN",
        claims=("X14",),
        where="Miyato et al. 2018, sec. 4 and appendix B.4, Table 2",
        settings=_QUICK
        | not_judged("Inception scores and distances need Inception's features, which are not here"),
        measures=("test_frechet_distance", "diverged"),
        published=(
            PublishedRow("sngan.t2", "ResNet, SN-GAN, Eq. 17", "cifar10_fid"),
            PublishedRow("sngan.t2", "SN-GAN, standard CNN, hinge loss (Eq. 17)", "cifar10_fid"),
        ),
        caveats=(
            "Published distances are of CIFAR-10 on Inception's features; the paper's standard CNN is another network, "
            "not the residual one without its shortcuts. Here digits, on the features of a small classifier of digits: "
            "the two scales have nothing in common.",
            "The discriminator has eight units, 17 layers without norms; the generator two, for digits leave no room "
            "for more. 'diverged' is the share of trainings that end at more than twice their least distance.",
        ),
    ),
)

register(Paper(kind="miyato2018", year=2018, experiments=_EXPERIMENTS))
