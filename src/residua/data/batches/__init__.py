"""Batches: what of a split a network sees, and in which order."""
