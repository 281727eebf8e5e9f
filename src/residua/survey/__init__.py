"""A look at images before a network is trained on them: what is there, what cannot be read, what lies there twice."""

from residua.survey.survey import Survey, take_survey

__all__ = ["Survey", "take_survey"]
