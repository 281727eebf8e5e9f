"""Looks: what an experiment measures inside a trained network."""
