"""Merges: specs beside their builders."""
