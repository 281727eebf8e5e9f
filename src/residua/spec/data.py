"""Where the data of a run come from, and how they are split."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from residua import parts
from residua.errors import UsageError, nearest
from residua.spec.base import SCHEMA, PartSpec, Spec
from residua.spec.limits import fraction, positive
from residua.spec.toml import parse_value


def is_url(path: str | Path) -> bool:
    """Whether data lie at a URL, ``scheme://...``, and not at a path."""
    return isinstance(path, str) and re.match(r"[a-z][a-z0-9+.-]*(::[^/]+)?://", path) is not None


@dataclass(frozen=True, kw_only=True)
class DataSource(PartSpec):
    """A source of data: what is its own, and ``load``, which reads it. An option ``path`` says where it lies.

    ``kind:rest`` is a shorthand: the rest is the first option (``folder:photos``) or names one
    (``digits:fold=2``). A kind that needs no path may stand alone; any other text is a path, whose kind is found out
    when it is loaded.
    """

    slot: ClassVar[str] = "source"
    resizes: ClassVar[bool] = False  # whether ``image_size`` chooses the size of its images
    remote: ClassVar[bool] = False  # whether its path may be a URL

    @property
    def place(self) -> Path | None:
        """The path that it is read from; None for what is shipped or made, or lies at a URL."""
        path = self.to_dict().get("path")
        return Path(path).expanduser() if path and not is_url(path) else None

    @property
    def url(self) -> str | None:
        """The URL that it is read from; None for what lies here."""
        path = self.to_dict().get("path")
        return path if path and is_url(path) else None

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether data of this kind lie at an existing path, by the names there or a file's first bytes."""
        return False

    def resolved(self) -> DataSource:
        """Itself, or what it turns out to be. Raises UsageError where nothing lies at its path."""
        place = self.place
        if self.url is not None:
            if not self.remote:
                raise UsageError(
                    f"{self.kind} is read from this machine, not from {self.url}; tar:URL is not"
                )
            return self
        if (place is None and "path" in self.required()) or (place is not None and not place.exists()):
            raise UsageError(
                f"no such file or folder: {str(place or self)!r}; a source is 'digits', a path, or kind:path"
            )
        return self

    @abstractmethod
    def load(self, spec: DataSpec, *, threads: int, storage: str | None) -> Any:
        """The data (``residua.data.AnyData``) that ``spec`` describes, of which this is the source.

        ``threads`` read files (0: one for each usable core); ``storage`` is ``memory`` or ``stream``, as an earlier
        loading decided, or None. Raises UsageError for options that do not suit, ResiduaError for damaged files.
        """

    def listed(self, spec: DataSpec) -> tuple[Any, Any] | None:
        """Of a source that ``resizes``, the listing of its images and the store of their bytes, none decoded yet.

        None if it does not tell: then its ``load`` alone decides their size. Raises as ``load``.
        """
        return None

    @classmethod
    def spelled_out(cls, value: Any) -> dict[str, Any] | None:  # noqa: D102
        if not isinstance(value, str):
            return super().spelled_out(value)
        known = parts.parts(cls.slot)
        kind, colon, rest = value.partition(":")
        if kind in known and (colon or "path" not in known[kind].required()):
            return {"kind": kind, **known[kind].behind_the_colon(rest)}
        if (call := re.fullmatch(r"([\w-]+)\(.*\)", value, re.DOTALL)) and call[1] in known:
            return super().spelled_out(value)
        if is_url(value):
            return {"kind": "path", "path": value}
        if colon and not (
            len(kind) == 1 or "/" in kind or "\\" in kind or Path(value).exists()
        ):  # C:\ is a path
            raise UsageError(f"unknown kind of data {kind!r} in {value!r}{nearest(kind, known)}")
        return {"kind": "path", "path": value}

    @classmethod
    def behind_the_colon(cls, rest: str) -> dict[str, Any]:
        """The option that ``rest`` is, by its name or as the first one; a path is taken as it is."""
        if "path" in cls.fields():
            return {"path": rest} if rest or "path" in cls.required() else {}
        if rest and not cls.fields():
            raise UsageError(f"{cls.title()} takes no option {rest!r}")
        name, equals, value = rest.partition("=")
        return {name: parse_value(value)} if equals else {cls.fields()[0]: parse_value(rest)} if rest else {}

    def __str__(self) -> str:
        """The shorthand, which holds the first option alone."""
        name, value = next(((name, getattr(self, name)) for name in self.fields()), ("", None))
        if value is None:
            return self.kind
        return f"{self.kind}:{value}" if isinstance(value, str) else f"{self.kind}:{name}={value}"


@dataclass(frozen=True, kw_only=True)
class DataSpec(Spec):
    """Where samples come from and how they are split."""

    stored_as: ClassVar[str] = "data"

    schema: int = SCHEMA
    source: DataSource = field(default_factory=lambda: DataSource.read("digits", "DataSpec.source"))
    image_size: int | None = None  # pixels, square; None: decided from the files and stated in data.json
    val_fraction: float = 0.1  # of the training images; 0 trains on all of them
    # test: each epoch is measured on the test images, as the papers' curves are; nothing may be chosen by them
    validate_on: Literal["val", "test"] = "val"
    test_fraction: float = 0.2  # of a folder that has no test part of its own
    # per channel, of images scaled to [0, 1]; None: those of the training images
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    split_seed: int = 0  # splits do not follow the training seed: all seeds see the same images
    strict: bool = False  # refuse the first bad file instead of skipping and listing it

    @classmethod
    def of(cls, source: str | Path | DataSource | DataSpec) -> DataSpec:
        """The spec of what a path, a shorthand or a source means; a spec is given back."""
        if isinstance(source, DataSpec):
            return source
        return cls(source=DataSource.read(str(source) if isinstance(source, Path) else source, "the source"))

    def moved(self, source: str | Path) -> Self:
        """The same data, which now lie elsewhere: a path or a shorthand; what that does not say stays."""
        now, before = DataSource.spelled_out(str(source)) or {}, self.source.to_dict()
        if now["kind"] == before["kind"] or (now["kind"] == "path" and "path" in before):
            now = {**before, **now, "kind": before["kind"]}
        return self.change(source=now)

    def validate(self) -> None:  # noqa: D102
        fraction(self, "val_fraction", "test_fraction")
        if self.validate_on == "test" and self.val_fraction:
            raise UsageError(
                "DataSpec.validate_on 'test' holds no training images out: val_fraction must be 0"
            )
        if (self.mean is None) != (self.std is None) or len(self.mean or ()) != len(self.std or ()):
            raise UsageError("DataSpec.mean and std belong together, a number a channel")
        if min(self.std or (1,)) <= 0:
            raise UsageError(f"DataSpec.std must be above 0, not {list(self.std or ())}")
        if self.image_size is not None:
            positive(self, "image_size")
