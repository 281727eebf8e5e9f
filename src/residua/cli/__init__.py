"""Verbs of the ``residua`` command; thin, and imported by nothing."""
