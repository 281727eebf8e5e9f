"""The conformance suite: what every network of the registry holds to, and what a family of your own can be held to.

from residua.testing import check_model
check_model("my_network")
"""

from residua.testing.check import CHECKS, CONVENTIONS, Check, ConformanceError, check_model

__all__ = ["CHECKS", "CONVENTIONS", "Check", "ConformanceError", "check_model"]
