"""Trained networks at work."""

from residua.deploy.inputs import NamedPicture
from residua.deploy.predictor import Answer, Predictor

__all__ = ["Answer", "NamedPicture", "Predictor"]
