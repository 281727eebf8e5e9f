import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.models.resnet import ResNetSpec
from residua.registry import list_models, model_spec, spec_from_dict
from residua.spec import DataSpec, Recipe, parse_value, read_toml
from residua.train.optimizers.adamw import AdamW
from residua.train.optimizers.sgd import SGD
from residua.train.schedules.step import Step

stages = st.integers(1, 5).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(1, 200), min_size=n, max_size=n),
        st.lists(st.integers(1, 4096), min_size=n, max_size=n),
    )
)


@st.composite
def resnet_specs(draw):
    depths, widths = draw(stages)
    plain = draw(st.booleans())
    return ResNetSpec(
        name=draw(st.text(max_size=20)),
        unit=draw(st.sampled_from(["basic", "bottleneck"])),
        depths=depths,  # type: ignore[arg-type]
        widths=widths,  # type: ignore[arg-type]
        stem=draw(st.sampled_from(["imagenet", "cifar"])),
        shortcut=draw(st.sampled_from(["A", "A-split", "B", "C"])),
        merge="branch_only" if plain else "add",
        order=draw(st.sampled_from(["original", "full_preact"])),
        expansion=draw(st.integers(1, 8)),
        stride_on=draw(st.sampled_from(["1x1", "3x3"])),
        zero_init=not plain and draw(st.booleans()),
        drop_path=0.0 if plain else draw(st.floats(0, 0.99)),
        num_classes=draw(st.integers(1, 100_000)),
        in_channels=draw(st.integers(1, 16)),
    )


@given(resnet_specs())
def test_a_model_spec_survives_json(spec):
    assert spec_from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@given(
    st.builds(
        Recipe,
        epochs=st.integers(1, 1000),
        lr=st.floats(1e-9, 10) | st.integers(1, 10),
        schedule=st.builds(
            Step, milestones=st.lists(st.floats(0, 1), max_size=4).map(lambda m: tuple(sorted(m)))
        ),
        optimizer=st.builds(AdamW, beta1=st.floats(0, 0.99)) | st.builds(SGD, nesterov=st.booleans()),
        iterations=st.none() | st.integers(1, 10**9),
        flip=st.none() | st.booleans(),
        pad=st.none() | st.integers(0, 8),
    )
)
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("name", list_models())
def test_every_registered_spec_survives_json(name):
    spec = model_spec(name)
    assert spec_from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(ResNetSpec(depths=(1,), widths=(1,)).to_dict())), anything)
def test_a_hostile_value_is_taken_or_refused_in_one_line(key, value):
    values = {**ResNetSpec().to_dict(), key: value}
    try:
        spec = spec_from_dict(values)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert spec_from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@given(st.sampled_from(sorted(Recipe().to_dict())), anything)
def test_a_hostile_recipe_is_taken_or_refused_in_one_line(key, value):
    try:
        recipe = Recipe.from_dict({key: value})
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"famly": "resnet"}, "must name its 'family'"),
        ({"family": 3}, "must name its 'family'"),
        ({"family": "resnt"}, "unknown model family 'resnt'; did you mean 'resnet'"),
        (
            {"family": "resnet", "shortcutt": "A"},
            "ResNetSpec has no key 'shortcutt'; did you mean 'shortcut'",
        ),
        ({"family": "resnet", "depths": "2222"}, "ResNetSpec.depths must be a list, not '2222'"),
        (
            {"family": "resnet", "depths": [2, 2.5, 2, 2]},
            "ResNetSpec.depths[1] must be a whole number, not 2.5",
        ),
        ({"family": "resnet", "zero_init": 1}, "ResNetSpec.zero_init must be true or false, not 1"),
        (
            {"family": "resnet", "num_classes": True},
            "ResNetSpec.num_classes must be a whole number, not True",
        ),
        ({"family": "resnet", "name": 5}, "ResNetSpec.name must be text, not 5"),
        ({"family": "resnet", "drop_path": float("nan")}, "ResNetSpec.drop_path must be a finite number"),
        ({"family": "resnet", "schema": 3}, "has schema 3; this residua reads schemas 1 and 2"),
        ([], "must name its 'family'"),
        ("resnet", "must name its 'family'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_the_nearest_name(values, message):
    with pytest.raises(UsageError) as caught:
        spec_from_dict(values)
    assert message in str(caught.value)


def test_a_spec_is_frozen_and_change_gives_another():
    spec = ResNetSpec()
    with pytest.raises(FrozenInstanceError):
        spec.num_classes = 3  # type: ignore[misc]
    assert spec.change(num_classes=3).num_classes == 3
    assert spec.num_classes == 1000
    with pytest.raises(UsageError, match="no key 'classes'"):
        spec.change(classes=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_fraction": 1}, r"val_fraction must be in \[0, 1\)"),
        ({"test_fraction": -0.1}, r"test_fraction must be in \[0, 1\)"),
        ({"image_size": 0}, "image_size must be above 0"),
    ],
)
def test_data_specs_that_cannot_be(changes, message):
    with pytest.raises(UsageError, match=message):
        DataSpec(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be above 0"),
        ({"lr": 0}, "lr must be above 0"),
        ({"iterations": 0}, "iterations must be above 0"),
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\]"),
        ({"milestones": (0.8, 0.4)}, "milestones must rise"),
        ({"milestones": (1.2,)}, "milestones must rise"),
        ({"weight_decay": -1}, "cannot be negative"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov needs a momentum"),
    ],
)
def test_recipes_that_cannot_be(changes, message):
    with pytest.raises(UsageError, match=message):
        Recipe().change(**changes)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"3"', "3"),
        ("cifar", "cifar"),
        ("", ""),
        ("=", "="),
    ],
)
def test_set_takes_toml_values_and_bare_words(text, value):
    assert parse_value(text) == value


@given(st.text())
def test_any_text_after_set_is_a_value(text):
    parse_value(text)


def test_a_number_with_thousands_of_digits_is_no_traceback(tmp_path):
    assert parse_value("9" * 5000) == "9" * 5000
    file = tmp_path / "settings.toml"
    file.write_text(f"lr = {'9' * 5000}")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_toml(file)


@given(content=st.binary(max_size=200))
def test_a_damaged_toml_file_is_named(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("toml") / "settings.toml"
    file.write_bytes(content)
    try:
        assert isinstance(read_toml(file), dict)
    except UsageError as error:
        assert str(file) in str(error)


def test_a_missing_toml_file_is_named(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_toml(tmp_path / "missing.toml")
