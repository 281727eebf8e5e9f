"""Schedules of the learning rate: one file each, a frozen spec with a pure function."""
