"""Units: one file each, a spec beside the builder of its branch."""

from residua.moved import gone


def __getattr__(name: str) -> None:
    raise gone(__name__, name)
