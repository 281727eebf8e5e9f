"""Augmentations: one file each, a frozen spec beside what it does to a batch."""
