"""The catalogue of claims (``claims.toml``); a paper of one's own brings claims beside it. Imports no torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim in words; ``zh`` is the same in Chinese, ``misquotes`` are ids of what popular texts make of it."""

    id: str
    text: str
    zh: str
    misquotes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "misquotes", tuple(self.misquotes))  # a list in the file


_TEXT = files("residua.experiments").joinpath("claims.toml").read_text(encoding="utf-8")
CLAIMS: dict[str, Claim] = {name: Claim(id=name, **claim) for name, claim in tomllib.loads(_TEXT).items()}
