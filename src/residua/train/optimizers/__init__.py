"""Optimisers: one file each, a frozen spec that builds torch's."""
