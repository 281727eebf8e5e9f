"""Trained networks at work."""

from residua.deploy.predictor import Predictor

__all__ = ["Predictor"]
