"""Means of the weights along a training: one file each, a frozen spec with pure functions of the step."""
