"""Experiments: claims, networks and rules as data, and the engine that runs and judges them. Imports no torch."""

from residua.experiments.catalogue import Paper
from residua.experiments.claims import Claim
from residua.experiments.experiment import SCALES, Arm, Experiment, PublishedRow, Scale, Setting

__all__ = ["SCALES", "Arm", "Claim", "Experiment", "Paper", "PublishedRow", "Scale", "Setting"]
