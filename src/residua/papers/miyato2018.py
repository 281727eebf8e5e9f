"""Miyato, Kataoka, Koyama & Yoshida 2018, "Spectral Normalization for GANs": a residual generator and discriminator."""

from __future__ import annotations

from residua.experiments.experiment import Arm, Experiment, PublishedRow, Setting
from residua.experiments.rules.directions import greater

EXPERIMENTS = (
    Experiment(
        id="miyato2018/residuals",
        title="A GAN with and without the shortcuts of its two networks",
        zh="生成器与判别器有无捷径的 GAN",
        claims=("X14",),
        where="Miyato et al. 2018, sec. 4 and appendix B.4, Table 2",
        settings={
            "quick": Setting(
                arms=(
                    Arm(name="with residuals", model="sngan_tiny"),
                    Arm(name="without", model="plain_sngan_tiny"),
                ),
                rules=(
                    greater(
                        "test_frechet_distance",
                        "without",
                        "with residuals",
                        text="without shortcuts the images are further from the real ones (Fréchet distance)",
                    ),
                ),
                recipe="gan",
                changes={"epochs": 8},
            ),
            "paper": "Inception scores and distances need Inception's features, which are not here",
        },
        measures=("test_frechet_distance",),
        published=(
            PublishedRow(table="sngan.t2", model="ResNet, SN-GAN, Eq. 17", key="cifar10_fid"),
            PublishedRow(
                table="sngan.t2", model="SN-GAN, standard CNN, hinge loss (Eq. 17)", key="cifar10_fid"
            ),
        ),
        caveats=(
            "Published distances are of CIFAR-10 on Inception's features; the paper's standard CNN is another network, "
            "not the residual one without its shortcuts. Here digits, on the features of a small classifier of digits: "
            "the two scales have nothing in common.",
        ),
    ),
)
