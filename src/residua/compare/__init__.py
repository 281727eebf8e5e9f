"""Two networks against each other, at equal cost if wanted, until seeds decide: the claims' machinery for anybody."""

from residua.compare.comparison import compare

__all__ = ["compare"]
