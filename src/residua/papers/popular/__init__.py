"""What popular texts say of residual networks, as experiments; ``year`` is of the paper that they repeat."""

from residua.papers.popular import products, vanishing

__all__ = ["products", "vanishing"]
