from dataclasses import replace

import pytest

from residua import published as published_module
from residua.description import describe
from residua.description import resnet_figures as figures
from residua.description.counterpart import twin
from residua.description.resnet_page import values
from residua.registry import list_models, model_spec


def _figures(name, **changes):
    spec = model_spec(name, **changes)
    return figures.figures(spec, twin(spec))


def _found(name, **changes):
    return {(f.source, f.model, f.dataset, f.protocol): f for f in _figures(name, **changes)}


def _errors(name, source, **changes):
    return [dict(f.values) for (s, *_), f in _found(name, **changes).items() if s == source]


def test_the_published_figures_of_resnet50_with_their_protocols():
    found = _found("resnet50_v1")
    ten = found["He et al. 2015, Table 3", "ResNet-50", "ImageNet-1k", "10-crop"]
    assert dict(ten.values) == {"top1_err": 22.85, "top5_err": 6.71}
    assert (ten.split, ten.status, ten.differs) == ("validation", "verified", ())
    assert (
        "He et al. 2015, Table 4",
        "ResNet-50",
        "ImageNet-1k",
        "fully-convolutional, multi-scale (ResNet rows)",
    ) in found
    assert not any("torchvision" in source for source, *_ in found), "torchvision's is v1.5"


def test_where_the_published_network_differs_it_is_said():
    assert {f.differs for f in _found("resnet50").values() if "He" in f.source} == {("stride on the 1x1",)}
    assert {f.differs for f in _found("resnet50").values() if "torchvision" in f.source} == {()}
    table2 = next(f for f in _found("resnet34").values() if f.source == "He et al. 2015, Table 2")
    assert table2.differs == ("option A shortcuts",)
    assert {f.differs for f in _found("cifar_resnet110", shortcut="B").values() if "2015" in f.source} == {
        ("option A shortcuts",)
    }
    assert {f.differs for f in _found("plain34").values()} == {()}


@pytest.mark.parametrize(("option", "error"), [("A", 25.03), ("B", 24.52), ("C", 24.19)])
def test_resnet34_has_a_figure_for_each_option(option, error):
    (row,) = _errors("resnet34", "He et al. 2015, Table 3", shortcut=option)
    assert row["top1_err"] == error


def test_orders_of_activation_are_not_mixed():
    assert _errors("cifar_resnet110", "He et al. 2016, Table 3") == [{"err": 6.61}]
    assert _errors("cifar_preact_resnet110", "He et al. 2016, Table 3") == [{"err": 6.37}]
    assert _errors("cifar_preact_resnet164", "He et al. 2016, Table 2") == [{"err": 5.46}]
    assert _errors("cifar_resnet110_bn_after_addition", "He et al. 2016, Table 2") == [{"err": 8.17}]
    assert _errors("cifar_resnet110_relu_before_addition", "He et al. 2016, Table 2") == [{"err": 7.84}]
    assert _errors("cifar_resnet164_relu_only_preact", "He et al. 2016, Table 2") == [{"err": 5.91}]
    assert _errors("cifar_resnet1001", "He et al. 2016, Table 3") == [{"err": 7.61}, {"err": 27.82}]
    assert not any("2015" in f.source for f in _found("cifar_preact_resnet110").values())
    assert [r["top1_err"] for r in _errors("preact_resnet152", "He et al. 2016, Table 5")] == [21.1]


def test_networks_of_equal_depth_are_not_mixed():
    """6 * 8 + 2 = 50: the CIFAR net of that depth is not the ResNet-50 of ImageNet."""
    assert not _figures("cifar_resnet50")
    assert not _figures("resnet18", stem="cifar")


def test_best_and_mean_are_kept_apart():
    (row,) = _errors("cifar_resnet110", "He et al. 2015, Table 6")
    assert (row["err"], row["stat"], row["mean"], row["std"], row["n"]) == (6.43, "best", 6.61, 0.16, 5)


def test_plain_nets_that_no_table_has_get_what_the_paper_says():
    (figure,) = _figures("cifar_plain110")
    assert "higher than 60 %" in figure.text
    assert (figure.source, figure.status) == ("He et al. 2015, Fig. 6 caption", "verified")
    assert "prints NO table" in _figures("cifar_plain56")[0].text


@pytest.mark.parametrize(
    "name", [*list_models("*cifar_resnet*"), "resnet50", "resnet50_v1", "plain34", "plain18"]
)
def test_a_figure_names_its_source_and_its_data(name):
    for figure in _figures(name):
        assert figure.source
        assert figure.dataset
        assert figure.text or figure.values


def test_figures_are_told_in_words():
    text = " ".join(" ".join(section.lines) for section in describe("cifar_resnet20").sections())
    assert "He et al. 2015, Table 6 (CIFAR-10, test): ResNet-20: 0.27 million parameters, error 8.75" in text
    assert values({"err": 6.43, "mean": 6.61, "std": 0.16, "n": 5, "stat": "best"}) == (
        "best error of 5 runs 6.43, mean 6.61 +- 0.16"
    )


def test_what_is_not_verified_is_shown_as_unconfirmed(monkeypatch):
    real = published_module.published()
    table = real.tables["he2015.t6"]
    doubted = replace(table, rows=tuple(replace(row, status="unconfirmed") for row in table.rows))
    changed = replace(real, tables={**real.tables, table.id: doubted})
    monkeypatch.setattr(figures, "published", lambda: changed)
    described = describe("cifar_resnet20")
    assert [f.status for f in described.published] == ["unconfirmed"]
    assert "error 8.75 [unconfirmed]" in " ".join(str(described).split())
    assert "unconfirmed" not in str(describe("cifar_resnet8"))


@pytest.mark.parametrize("name", ["cifar_resnet110_exclusive_gating", "resnext50_32x4d", "wide_resnet50_2"])
def test_a_network_that_differs_in_structure_does_not_get_resnets_figures(name):
    assert _figures(name) == []
