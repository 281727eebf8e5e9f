"""A model as a page of text or a table of values: shapes, counts, shortcuts, deviations, published figures.

The room is not called ``describe``: importing it would hide the function ``residua.describe``.
"""

from residua.description.describe import Description, describe
from residua.description.summary import Summary

__all__ = ["Description", "Summary", "describe"]
