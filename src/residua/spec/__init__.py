"""Specs: what a network, its data and its training are, as values. Imports no torch."""

from residua.spec.base import SCHEMA, PartSpec, Spec
from residua.spec.data import DataSource, DataSpec
from residua.spec.limits import fraction, positive, probability, rising
from residua.spec.model import ModelSpec
from residua.spec.recipe import Recipe
from residua.spec.toml import parse_value, read_toml
from residua.spec.training import (
    Augmentation,
    Averaging,
    Finetuning,
    Metric,
    Optimizer,
    Resolution,
    Schedule,
    TaskSpec,
    Tracker,
)

__all__ = [
    "SCHEMA",
    "Augmentation",
    "Averaging",
    "DataSource",
    "DataSpec",
    "Finetuning",
    "Metric",
    "ModelSpec",
    "Optimizer",
    "PartSpec",
    "Recipe",
    "Resolution",
    "Schedule",
    "Spec",
    "TaskSpec",
    "Tracker",
    "fraction",
    "parse_value",
    "positive",
    "probability",
    "read_toml",
    "rising",
]
