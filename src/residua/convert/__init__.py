"""Other libraries' checkpoints: one file a library, each a table of key patterns."""

from residua.convert.detect import read_foreign

__all__ = ["read_foreign"]
