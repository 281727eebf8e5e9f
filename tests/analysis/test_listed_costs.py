"""The table of counts is the truth of the networks that are registered now."""

import pytest

from residua.analysis import listed_costs as listed
from residua.analysis.cost import totals
from residua.analysis.listed_costs import digest, listed_totals, table
from residua.registry import families, list_models, model_spec

ANEW = "python -m residua.analysis.listed_costs counts them anew"
SOME = ("resnet50", "cifar_resnet1202", "densenet_40_12", "vgg16", "fcos_resnet50_fpn", "vit_b_16")


def test_the_table_knows_every_network_as_it_is_now():
    known = {name: row[0] for name, row in table().items()}
    assert known == {name: digest(model_spec(name)) for name in list_models()}, ANEW


@pytest.mark.parametrize(
    "name", sorted({*SOME, *(family.tiny for family in families().values())} & set(list_models()))
)
def test_its_counts_are_true(name):
    spec = model_spec(name)
    assert table()[name][1:] == totals(spec, spec.usual_input), ANEW


@pytest.mark.slow
def test_all_its_counts_are_true():
    specs = [model_spec(name) for name in list_models()]
    assert {s.name: table()[s.name][1:] for s in specs} == {
        s.name: totals(s, s.usual_input) for s in specs
    }, ANEW


def test_a_network_that_is_not_the_tables_is_counted():
    spec = model_spec("resnet18", num_classes=10)
    assert listed_totals(spec) == totals(spec, spec.usual_input) != table()["resnet18"][1:]
    unlisted = model_spec("cifar_resnet26")
    assert unlisted.name not in table()
    assert listed_totals(unlisted) == totals(unlisted, unlisted.usual_input)


def test_written_anew_it_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(listed, "TABLE", tmp_path / "listed_costs.json")
    monkeypatch.setattr(listed, "list_models", lambda: ["resnet18", "cifar_resnet20"])
    listed._write()
    rows = listed.read_json(tmp_path / "listed_costs.json")
    assert {name: tuple(row) for name, row in rows.items()} == {name: table()[name] for name in rows}
    assert len(rows) == 2
