"""Questions to networks, one file each: a look is a part (slot ``look``) that gives a ``Finding``. Imports no torch."""

from residua.looks.base import Look, Subject, look, look_class

__all__ = ["Look", "Subject", "look", "look_class"]
