"""Shortcuts: specs beside their builders."""
