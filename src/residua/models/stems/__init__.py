"""Stems: specs beside their builders."""
