"""Specs: what a network, its data and its training are, as values. Imports no torch."""

from residua.spec.base import SCHEMA, PartSpec, Spec, fraction, positive
from residua.spec.data import DataSource, DataSpec
from residua.spec.model import ModelSpec
from residua.spec.recipe import Augmentation, Recipe
from residua.spec.toml import parse_value, read_toml

__all__ = [
    "SCHEMA",
    "Augmentation",
    "DataSource",
    "DataSpec",
    "ModelSpec",
    "PartSpec",
    "Recipe",
    "Spec",
    "fraction",
    "parse_value",
    "positive",
    "read_toml",
]
