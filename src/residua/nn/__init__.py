"""The bricks of residual networks. A unit is ``activation(merge(shortcut(x), drop_path(branch(x))))``."""

from residua.nn.block import BasicBlock, Bottleneck
from residua.nn.branch import ConvLayer, basic_layers, bottleneck_layers, conv_branch
from residua.nn.drop import DropPath, drop_path_rates
from residua.nn.head import GlobalPool, PoolHead
from residua.nn.init import he_init, zero_init_branches
from residua.nn.merge import Add, BranchOnly, Concat, Merge
from residua.nn.network import ImageClassifier
from residua.nn.residual import Chain, ContextModule, Residual, residual_units
from residua.nn.shortcut import PadShortcut, Projection, make_shortcut
from residua.nn.stem import CifarStem, DeepStem, ImageNetStem, PoolFirstStem, make_stem

__all__ = [
    "Add",
    "BasicBlock",
    "Bottleneck",
    "BranchOnly",
    "Chain",
    "CifarStem",
    "Concat",
    "ContextModule",
    "ConvLayer",
    "DeepStem",
    "DropPath",
    "GlobalPool",
    "ImageClassifier",
    "ImageNetStem",
    "Merge",
    "PadShortcut",
    "PoolFirstStem",
    "PoolHead",
    "Projection",
    "Residual",
    "basic_layers",
    "bottleneck_layers",
    "conv_branch",
    "drop_path_rates",
    "he_init",
    "make_shortcut",
    "make_stem",
    "residual_units",
    "zero_init_branches",
]
