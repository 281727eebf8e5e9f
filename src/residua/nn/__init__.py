"""The bricks of residual networks. A unit is ``activation(merge(shortcut(x), drop_path(branch(x))))``."""

from residua.nn.block import BasicBlock, Bottleneck
from residua.nn.branch import ConvLayer, basic_layers, bottleneck_layers, conv_branch
from residua.nn.drop import DropPath, drop_path_rates
from residua.nn.head import PoolHead
from residua.nn.init import he_init, zero_init_branches
from residua.nn.merge import Add, BranchOnly, Merge
from residua.nn.network import ImageClassifier
from residua.nn.residual import Chain, ContextModule, Residual, residual_units
from residua.nn.shortcut import PadShortcut, Projection, make_shortcut
from residua.nn.stem import CifarStem, ImageNetStem

__all__ = [
    "Add",
    "BasicBlock",
    "Bottleneck",
    "BranchOnly",
    "Chain",
    "CifarStem",
    "ContextModule",
    "ConvLayer",
    "DropPath",
    "ImageClassifier",
    "ImageNetStem",
    "Merge",
    "PadShortcut",
    "PoolHead",
    "Projection",
    "Residual",
    "basic_layers",
    "bottleneck_layers",
    "conv_branch",
    "drop_path_rates",
    "he_init",
    "make_shortcut",
    "residual_units",
    "zero_init_branches",
]
