"""The bricks of residual networks. A unit is ``activation(merge(shortcut(x), drop_path(branch(x))))``."""

from residua.moved import gone
from residua.nn.attention import SelfAttention
from residua.nn.block import BasicBlock, Bottleneck
from residua.nn.branch import ORDERS, ConvLayer, UnitOrder, basic_layers, bottleneck_layers, conv_branch
from residua.nn.convnext import (
    ChannelNorm,
    PatchifyStem,
    convnext_init,
    downsampling,
    inverted_branch,
    normed_head,
)
from residua.nn.coupling import Coupled
from residua.nn.dense import dense_branch, dense_layer, transition
from residua.nn.drop import DropPath, drop_path_rates
from residua.nn.gate import ConstantScaling, ExclusiveGating, Gate, ShortcutOnlyGating
from residua.nn.head import GlobalPool, PoolHead, hidden_head
from residua.nn.hyper import HyperConnection
from residua.nn.inception import Inception, InceptionStem
from residua.nn.inflate import inflate
from residua.nn.init import he_init, start_at_zero, xavier_init, zero_init_branches
from residua.nn.layout import place, suited
from residua.nn.merge import Add, BranchOnly, Concat, Merge, Sum
from residua.nn.mlp import Mlp
from residua.nn.network import ImageClassifier
from residua.nn.residual import Chain, ContextModule, Residual, residual_units
from residua.nn.reversible import Reversible
from residua.nn.scale import ScaledBranch
from residua.nn.shortcut import DropoutShortcut, PadShortcut, Projection, pad_shortcut
from residua.nn.split_attention import SplitAttention
from residua.nn.squeeze import ChannelGated, SqueezeExcite
from residua.nn.stem import (
    BareCifarStem,
    CifarStem,
    ClipStem,
    DeepStem,
    ImageNetStem,
    PoolFirstStem,
)
from residua.nn.stream_weights import stream_weights
from residua.nn.streams import CopyStreams, JoinChannels, MeanStreams, SplitChannels
from residua.nn.transformer import Transformer
from residua.nn.without import without_borders, without_norms, without_shortcuts

__all__ = [
    "ORDERS",
    "Add",
    "BareCifarStem",
    "BasicBlock",
    "Bottleneck",
    "BranchOnly",
    "Chain",
    "ChannelGated",
    "ChannelNorm",
    "CifarStem",
    "ClipStem",
    "Concat",
    "ConstantScaling",
    "ContextModule",
    "ConvLayer",
    "CopyStreams",
    "Coupled",
    "DeepStem",
    "DropPath",
    "DropoutShortcut",
    "ExclusiveGating",
    "Gate",
    "GlobalPool",
    "HyperConnection",
    "ImageClassifier",
    "ImageNetStem",
    "Inception",
    "InceptionStem",
    "JoinChannels",
    "MeanStreams",
    "Merge",
    "Mlp",
    "PadShortcut",
    "PatchifyStem",
    "PoolFirstStem",
    "PoolHead",
    "Projection",
    "Residual",
    "Reversible",
    "ScaledBranch",
    "SelfAttention",
    "ShortcutOnlyGating",
    "SplitAttention",
    "SplitChannels",
    "SqueezeExcite",
    "Sum",
    "Transformer",
    "UnitOrder",
    "basic_layers",
    "bottleneck_layers",
    "conv_branch",
    "convnext_init",
    "dense_branch",
    "dense_layer",
    "downsampling",
    "drop_path_rates",
    "he_init",
    "hidden_head",
    "inflate",
    "inverted_branch",
    "normed_head",
    "pad_shortcut",
    "place",
    "residual_units",
    "start_at_zero",
    "stream_weights",
    "suited",
    "transition",
    "without_borders",
    "without_norms",
    "without_shortcuts",
    "xavier_init",
    "zero_init_branches",
]


def __getattr__(name: str) -> None:
    raise gone(__name__, name)
