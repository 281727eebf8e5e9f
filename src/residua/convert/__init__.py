"""Other libraries' checkpoints, read and written: one file a library, each a table of keys."""

from residua.convert.detect import read_foreign
from residua.convert.write import to_library, write_weights

__all__ = ["read_foreign", "to_library", "write_weights"]
