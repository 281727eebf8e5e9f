"""The claims of the ResNet literature that are checked: the theory's (T) and the experiments' (X).

Several are misquoted or wrong as popular texts repeat them; ``misquotes`` names the entry of the published figures
that says what the source really says. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim in words; ``zh`` is the same in Chinese."""

    id: str
    text: str
    zh: str
    misquotes: tuple[str, ...] = ()


_CLAIMS = (
    Claim(
        id="T1",
        text="x_L = x_l + sum F_i: features add up along identity shortcuts",
        zh="x_L = x_l + ΣF_i：特征沿恒等捷径逐层相加",
    ),
    Claim(
        id="T2",
        text="dL/dx_l = dL/dx_L * prod (I + J_i)",
        zh="dL/dx_l = dL/dx_L · Π(I + J_i)",
        misquotes=("cannot-vanish",),
    ),
    Claim(
        id="T3",
        text="plain gradients vanish as 0.9^99; residual ones grow only polynomially, as 1.1^99",
        zh="普通网络的梯度按 0.9^99 消失；残差网络的梯度只按多项式增长，如 1.1^99",
        misquotes=("poly-growth",),
    ),
    Claim(
        id="T4",
        text="gradients of plain nets vanish with depth (1e-9 at layer 1), those of ResNets stay at 1e-3",
        zh="普通网络的梯度随深度消失（第 1 层 1e-9），ResNet 的梯度保持在 1e-3",
        misquotes=("vanishing-cause",),
    ),
    Claim(
        id="T5",
        text="a ResNet is an ensemble of paths, and the effective paths are short",
        zh="ResNet 是许多路径的集成，有效路径很短",
    ),
    Claim(
        id="T6",
        text="residual blocks discretise an ordinary differential equation",
        zh="残差块是常微分方程的离散化",
    ),
    Claim(
        id="T7",
        text="in the worst case a block becomes the identity (F = 0), and depth costs nothing",
        zh="最坏情况下残差块退化为恒等映射（F = 0），加深没有损失",
    ),
    Claim(id="T8", text="a single-layer F gains nothing", zh="只有一层的 F 没有好处"),
    Claim(
        id="T9",
        text="identity shortcuts add no parameters and no multiplications",
        zh="恒等捷径不增加参数，也不增加乘法",
    ),
    Claim(
        id="T10",
        text="He initialisation keeps the variance through ReLU layers",
        zh="He 初始化使方差在 ReLU 层之间保持不变",
    ),
    Claim(
        id="T11",
        text="a residual unit transmits the gradient with a factor of at least 1",
        zh="残差单元传递梯度的系数至少为 1",
        misquotes=("gradient-at-least-one", "cannot-vanish"),
    ),
    Claim(
        id="T12",
        text="features are reused: low-level features travel straight to high layers",
        zh="特征重用：低层特征直接传到高层",
    ),
    Claim(
        id="X1",
        text="degradation: a deeper plain net has the higher training error; residual nets reverse it",
        zh="退化：更深的普通网络训练误差更高；残差网络则相反",
        misquotes=("56-vs-20-imagenet", "fig1-values"),
    ),
    Claim(
        id="X2",
        text="more iterations do not cure the degradation of plain nets",
        zh="增加迭代次数不能消除普通网络的退化",
    ),
    Claim(
        id="X3",
        text="shortcut options C > B > A by little: A suffices",
        zh="捷径方案 C 略好于 B，B 略好于 A：A 已足够",
    ),
    Claim(
        id="X4",
        text="deeper is better up to 110 layers; 1202 layers optimise as well but generalise worse",
        zh="到 110 层为止越深越好；1202 层同样能优化，但泛化更差",
    ),
    Claim(
        id="X5",
        text="residual nets have smaller layer responses than plain ones, the deeper the smaller",
        zh="残差网络的层响应比普通网络小，越深越小",
    ),
    Claim(id="X6", text="residual nets converge faster at the early stage", zh="残差网络在早期收敛更快"),
    Claim(
        id="X7",
        text="the bottleneck cuts the cost of a block; global average pooling saves VGG's fully connected layers",
        zh="瓶颈结构降低了块的计算量；全局平均池化省去了 VGG 的全连接层",
        misquotes=("four-stages-halve",),
    ),
    Claim(
        id="X8",
        text="ResNet is more accurate than VGG-16, GoogLeNet and PReLU-net",
        zh="ResNet 比 VGG-16、GoogLeNet 和 PReLU-net 更准确",
        misquotes=("mixed-imagenet", "table4-76"),
    ),
    Claim(
        id="X9",
        text="3.57 % top-5 error won ILSVRC 2015",
        zh="以 3.57 % 的 top-5 错误率赢得 ILSVRC 2015",
        misquotes=("152-wins-357",),
    ),
    Claim(
        id="X10",
        text="CIFAR-10 table of a popular text: plain-56 9.53 %, ResNet-56 8.50 %, ResNet-110 7.61 %",
        zh="某流行文章的 CIFAR-10 表：plain-56 9.53 %、ResNet-56 8.50 %、ResNet-110 7.61 %",
        misquotes=("cifar-table-953", "643-mean"),
    ),
    Claim(
        id="X11",
        text="pre-activation trains the 1001-layer net, and is better the deeper the net",
        zh="预激活能训练 1001 层网络，网络越深优势越大",
        misquotes=("preact-bars",),
    ),
    Claim(
        id="X12",
        text="stochastic depth: a lower error and about 25 % less training time at 110 layers",
        zh="随机深度：110 层时误差更低，训练时间约减少 25 %",
    ),
    Claim(
        id="X13",
        text="wider beats deeper (Wide ResNet), cardinality beats width (ResNeXt), at equal cost",
        zh="同等代价下，加宽优于加深（Wide ResNet），增加基数优于加宽（ResNeXt）",
    ),
    Claim(
        id="X14",
        text="residuals stabilise Transformers and GANs",
        zh="残差使 Transformer 和 GAN 的训练更稳定",
    ),
    Claim(
        id="X15",
        text="won ILSVRC and COCO 2015; the standard backbone of detection and segmentation",
        zh="赢得 ILSVRC 与 COCO 2015；检测与分割的标准骨干网络",
    ),
)

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _CLAIMS}
