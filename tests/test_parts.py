"""The registry of parts, and how parts stand in specs."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua import parts
from residua.errors import UsageError
from residua.spec import ModelSpec, PartSpec


@dataclass(frozen=True, kw_only=True)
class Wheel(PartSpec):
    slot: ClassVar[str] = "wheel"


@dataclass(frozen=True, kw_only=True)
class Plain(Wheel):
    kind: ClassVar[str] = "plain"
    size: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Spoked(Wheel):
    kind: ClassVar[str] = "spoked"
    spokes: int = 8
    size: float | None = None


@dataclass(frozen=True, kw_only=True)
class Double(Wheel):
    kind: ClassVar[str] = "double"
    of: Wheel = Plain()
    gap: int = 2


@dataclass(frozen=True, kw_only=True)
class Brake(PartSpec):
    slot: ClassVar[str] = "brake"
    kind: ClassVar[str] = "brake"
    force: float = 0.0
    rule: str = "linear"


@dataclass(frozen=True, kw_only=True)
class CarSpec(ModelSpec):
    family: str = "car"
    wheel: Wheel = Plain()
    brake: Brake = Brake()

    @property
    def depth(self) -> int:
        return 1

    @property
    def usual_input(self) -> tuple[int, ...]:
        return (3, 8, 8)


@pytest.fixture(autouse=True)
def _wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parts.ROOMS, "wheel", "residua.errors")
    monkeypatch.setattr(parts, "_parts", {"wheel": {p.kind: p for p in (Plain, Spoked, Double)}})
    monkeypatch.setattr(parts, "_import_room", lambda slot: None)


@pytest.mark.parametrize(
    ("changes", "wheel", "brake"),
    [
        ({"wheel": "double"}, Double(), Brake()),
        (
            {"wheel": "double(spoked(spokes=32, size=4), gap=8)"},
            Double(of=Spoked(spokes=32, size=4), gap=8),
            Brake(),
        ),
        ({"wheel": "spoked(12, size=none)"}, Spoked(spokes=12), Brake()),
        ({"wheel": Spoked(spokes=3)}, Spoked(spokes=3), Brake()),
        ({"wheel.size": 3}, Plain(size=3.0), Brake()),
        ({"wheel": {"size": 3}}, Plain(size=3.0), Brake()),
        ({"wheel.spokes": 3, "wheel": "spoked"}, Spoked(spokes=3), Brake()),
        ({"wheel": "double", "wheel.of.size": 5}, Double(of=Plain(size=5.0)), Brake()),
        ({"wheel": "double", "wheel.of": "spoked(4)"}, Double(of=Spoked(spokes=4)), Brake()),
        ({"brake": 0.5}, Plain(), Brake(force=0.5)),
        ({"brake": {"rule": "uniform"}}, Plain(), Brake(rule="uniform")),
    ],
)
def test_a_part_is_given_whole_in_short_or_by_one_of_its_options(changes, wheel, brake):
    spec = CarSpec().change(**changes)
    assert (spec.wheel, spec.brake) == (wheel, brake)
    assert CarSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"wheel": "spokd"},
            "did you mean 'spoked'? (one of your own is named with --with FILE)",
        ),
        ({"wheel": 3}, "CarSpec.wheel must be a wheel, not 3"),
        ({"wheel": None}, "CarSpec.wheel must be a wheel, not None"),
        ({"wheel": [1]}, "CarSpec.wheel must be a wheel, not [1]"),
        ({"wheel": "spoked(sp=3)"}, "wheel 'spoked' has no key 'sp'"),
        ({"wheel": "spoked(1, 2, 3)"}, "wheel 'spoked' has 2 options, not 3"),
        ({"wheel": "spoked(('x"}, "is no part: write kind or kind(option=value)"),
        ({"wheel": "double(spokd)"}, "unknown wheel 'spokd'"),
        ({"wheel": "double(" * 100}, "is no part: write kind or kind(option=value)"),
        ({"wheel.spokes": 3}, "wheel 'plain' has no key 'spokes'"),
        ({"wheel.size.x": 3}, "wheel 'plain' has no part 'size'"),
        ({"wheel.size": "x"}, "wheel 'plain'.size must be a number, not 'x'"),
        ({"brake": "hard"}, "unknown brake 'hard'"),
        ({"name.x": 3}, "CarSpec has no part 'name'"),
        ({"wheel": "spoked(__import__('os'))"}, "must be a whole number, not \"__import__('os')\""),
    ],
)
def test_what_is_no_part_is_refused_in_one_line(changes, message):
    with pytest.raises(UsageError) as caught:
        CarSpec().change(**changes)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.text("doublespk()=,1'[]:. ", max_size=60))
def test_any_text_is_a_part_or_refused(text):
    try:
        spec = CarSpec().change(wheel=text)
    except UsageError as error:
        assert len(str(error).splitlines()) <= 1 or "\n" in text
    else:
        assert CarSpec.from_dict(spec.to_dict()) == spec


def test_a_kind_belongs_to_one_part_and_a_definition_may_run_twice():
    again = dataclass(frozen=True, kw_only=True)(
        type("Spoked", (Wheel,), {"kind": "spoked", "__module__": __name__, "__qualname__": "Spoked"})
    )
    assert parts.register(again) is again
    with pytest.raises(UsageError, match="wheel 'spoked' is already registered"):
        parts.register(type("Other", (Wheel,), {"kind": "spoked"}))
    with pytest.raises(UsageError, match="no parts of the kind 'brake'"):
        parts.register(Brake)


def test_parts_in_parts_without_end_are_refused():
    for levels, fine in ((15, True), (30, False), (900, False)):
        wheel = {"kind": "plain"}
        for _ in range(levels):
            wheel = {"kind": "double", "of": wheel}
        if fine:
            assert CarSpec.from_dict({"family": "car", "wheel": wheel}).wheel.gap == 2
        else:
            with pytest.raises(UsageError, match="at most 20 deep"):
                CarSpec.from_dict({"family": "car", "wheel": wheel})
