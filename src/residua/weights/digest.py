"""The digest of a tensor file: XXH3-128, which finds rot (it guards against no malice). Imports no torch.

It stands at a fixed place: a file of residua's begins with the length of its header (8 bytes), ``_HEAD`` and 32
hexadecimal digits, and the digest is of the whole file with zeros for these digits. A beginning that is almost
``_HEAD`` is a damaged one, so that no flipped bit can hide that there was a digest.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import xxhash

from residua.errors import ResiduaError

ALGORITHM = "xxh3_128"
hasher = xxhash.xxh3_128  # also of logs
UNSEALED = f"{ALGORITHM}:{'0' * 32}"  # what ``seal`` writes the digest over
HEADER_KEY = "residua"  # under which the metadata of safetensors holds residua's JSON, the digest first
_HEAD = f'{{"__metadata__":{{"{HEADER_KEY}":"{{\\"digest\\": \\"{ALGORITHM}:'.encode()
_AT = 8 + len(_HEAD)
_END = _AT + 32
_NEAR = 8  # bytes of _HEAD that rot may have changed; other people's headers differ in more
CHUNK = 1 << 20  # bytes; read and hashed while they are in the cache


class DigestError(ValueError):
    """A file's bytes are not those that its digest is of."""


class DigestCheck:
    """Compares a file with the digest that it states, piece by piece: first its header, then whatever follows.

    ``stated`` is None for a file that states none. Raises DigestError if the beginning is damaged.
    """

    def __init__(self, header: bytes) -> None:
        self.stated = _stated(header)
        self._hash = hasher(header[:_AT] + b"0" * 32 + header[_END:])

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes of the file."""
        if self.stated is not None:
            self._hash.update(piece)

    def end(self) -> None:
        """The file is at its end. Raises DigestError unless it is as it was written."""
        if self.stated is not None and self.stated != f"{ALGORITHM}:{self._hash.hexdigest()}":
            raise DigestError("its bytes do not give the XXH3-128 digest that it states")


def stated_digest(path: Path) -> str | None:
    """The digest that a tensor file states, ``"xxh3_128:..."``, unchecked; None if it states none.

    Raises ResiduaError if the file cannot be read or its beginning is damaged.
    """
    try:
        with path.open("rb") as file:
            return _stated(file.read(_END))
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error
    except DigestError as error:
        raise ResiduaError(f"{path} is damaged: {error}") from error


def digest_of(path: Path) -> str:
    """What tells a tensor file from another: the digest that it states, unchecked, or else that of its bytes.

    Raises ResiduaError as ``stated_digest`` does.
    """
    if stated := stated_digest(path):
        return stated
    try:
        with path.open("rb") as file:
            return f"{ALGORITHM}:{hashlib.file_digest(file, hasher).hexdigest()}"
    except OSError as error:
        raise ResiduaError(f"cannot read {path}: {error.strerror or error}") from error


def seal(path: Path) -> None:
    """Write the digest of a file with the digest ``UNSEALED`` into it. Raises ResiduaError if it has no such place."""
    with path.open("rb+") as file:
        header = file.read(_END)
        if _stated(header) != UNSEALED:
            raise ResiduaError(f"cannot write {path}: this safetensors orders its header in an unknown way")
        digest = hasher(header)
        while piece := file.read(CHUNK):
            digest.update(piece)
        file.seek(_AT)
        file.write(digest.hexdigest().encode())


def _stated(header: bytes) -> str | None:
    head = header[8:_AT]
    changed = len(_HEAD) - sum(own == byte for own, byte in zip(_HEAD, head, strict=False))
    if changed > _NEAR:
        return None
    if changed:
        raise DigestError("the beginning of its header is")
    return f"{ALGORITHM}:{header[_AT:_END].decode('latin-1')}"
