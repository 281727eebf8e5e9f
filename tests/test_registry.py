from dataclasses import dataclass

import pytest

from residua import parts, registry
from residua.errors import UsageError, nearest
from residua.models.resnet import ResNetSpec
from residua.registry import Family, families, list_models, model_spec, register
from residua.spec import ModelSpec


@pytest.fixture
def own_registry(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setitem(parts._parts, Family.slot, dict(families()))


def test_names_match_a_pattern_and_are_in_natural_order():
    names = list_models("resnet*")
    assert names == sorted(names, key=lambda n: (int("".join(c for c in n.split("_")[0] if c.isdigit())), n))
    assert names[0] == "resnet18"
    assert set(list_models("plain??")) == {"plain18", "plain34"}
    assert list_models("nothing*") == []


def test_every_network_of_the_issue_has_a_name():
    wanted = {f"resnet{d}" for d in (18, 34, 50, 101, 152)} | {f"resnet{d}_v1" for d in (50, 101, 152)}
    wanted |= {f"cifar_resnet{d}" for d in (20, 32, 44, 56, 110, 164, 1001, 1202)} | {"plain18", "plain34"}
    wanted |= {f"cifar_plain{d}" for d in (20, 32, 44, 56, 110)}
    assert wanted <= set(list_models())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet51", "unknown model 'resnet51'; did you mean 'resnet50'"),
        ("Resnet18", "did you mean 'resnet18'"),
        ("", "unknown model ''; known: "),
        ("cifar_resnet", "did you mean 'cifar_resnet"),
        ("cifar_resnet\u0662\u0660", "unknown model"),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(name, message):
    with pytest.raises(UsageError) as caught:
        model_spec(name)
    assert message in str(caught.value)


def test_a_name_a_spec_and_a_table_lead_to_the_same_spec():
    spec = model_spec("resnet18", num_classes=7)
    assert model_spec(spec) is spec
    assert model_spec(spec.to_dict()) == spec
    assert model_spec(model_spec("resnet18"), num_classes=7) == spec
    assert model_spec(model_spec("resnet18").to_dict(), num_classes=7) == spec


@pytest.mark.parametrize("thing", [None, 3, ["resnet18"]])
def test_anything_else_is_no_model(thing):
    with pytest.raises(UsageError, match="a model is a name, a spec or a table, not"):
        model_spec(thing)


def test_changes_that_do_not_fit_are_refused_with_the_nearest_key():
    with pytest.raises(UsageError, match="no key 'num_class'; did you mean 'num_classes'"):
        model_spec("resnet18", num_class=3)


@dataclass(frozen=True, kw_only=True)
class ToySpec(ModelSpec):
    family: str = "toy"
    size: int = 1

    @property
    def depth(self) -> int:
        return 1

    @property
    def usual_input(self) -> tuple[int, ...]:
        return (3, 8, 8)


def test_a_spec_states_its_depth_and_its_usual_input():
    @dataclass(frozen=True, kw_only=True)
    class Vague(ModelSpec):
        family: str = "vague"

    with pytest.raises(TypeError, match=r"depth.*usual_input"):
        Vague()


def test_a_family_of_ones_own(own_registry):
    toy = Family(
        name="toy",
        spec_class=ToySpec,
        build=lambda spec: spec.size,
        named={"toy1": ToySpec(name="toy1")},
        patterns={
            r"toy(\d+)": lambda match, changes: ToySpec(
                name=match[0], size=int(match[1]) + changes.pop("more", 0)
            )
        },
    )
    register(toy)
    assert "toy1" in list_models()
    assert registry.build(model_spec("toy7")) == 7
    assert registry.build(model_spec("toy7", more=2, num_classes=5)) == 9
    assert model_spec("toy7", more=2, num_classes=5).num_classes == 5
    assert registry.spec_from_dict({"family": "toy", "size": 3}) == ToySpec(size=3)


def test_a_name_belongs_to_one_family(own_registry):
    with pytest.raises(UsageError, match="'resnet18' already belongs to family 'resnet'"):
        register(Family(name="toy", spec_class=ResNetSpec, build=print, named={"resnet18": ResNetSpec()}))


def test_nearest_shows_what_is_known_where_nothing_is_near():
    assert nearest("zzz", ["b", "a"]) == "; known: a, b"
    assert nearest("zzz", [str(i) for i in range(10, 30)]).endswith("21, ...")
