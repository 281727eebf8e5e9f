"""Trained networks at work."""

from residua.deploy.artifact import Artifact, read_artifact
from residua.deploy.inputs import NamedPicture
from residua.deploy.predictor import Answer, Predictor
from residua.deploy.runtime import open_runtime

__all__ = ["Answer", "Artifact", "NamedPicture", "Predictor", "open_runtime", "read_artifact"]
