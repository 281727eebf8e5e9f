"""What notebooks show: escaped, by itself, with a figure where there is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.markup import Markup

from residua import cards, describe
from residua.analysis.finding import Finding, lines


@given(st.text(), st.text())
def test_no_text_becomes_markup(title, cell):
    plain = Markup(cards.card("t", cards.text("x"), cards.page("x"), cards.table([("x", "x")], ("x", "x"))))
    parts = cards.text(cell), cards.page(cell or "x"), cards.table([(cell, cell)], (cell, title))
    found = Markup(cards.card(title, *parts))
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in plain.tags]
    assert "<script" not in cards.card("<script>alert(1)</script>", cards.text(title)).replace(title, "")


def test_a_finding_shows_its_figure():
    found = Finding(
        kind="k",
        title="A <b>",
        columns=("unit", "norm"),
        rows=[("a", 1.0), ("b", None)],
        sentence="It is so.",
        panels=[lines("T", "y", {"c": [1, 2]})],
    )
    page = Markup(found._repr_html_())
    (picture,) = (attrs for tag, attrs in page.tags if tag == "img")
    assert picture["src"].startswith("data:image/svg+xml;base64,") and picture["alt"] == "A <b>"
    assert "It is so." in page.text and "–" in page.text
    assert found._repr_html_() == found._repr_html_()


@pytest.mark.parametrize("name", ["cifar_resnet20", "cifar_vit_mini"])
def test_a_description_is_a_page_in_a_card(name):
    described = describe(name)
    page = Markup(described._repr_html_())
    assert described.name in page.text
    assert all(line.strip() in page.text for line in str(described).splitlines())


def test_every_card_loads_nothing_and_takes_the_colours_of_its_page():
    shown = describe("cifar_resnet20")._repr_html_()
    assert "http" not in shown.split("References")[0] or "src=" not in shown
    assert "color:inherit" in shown and "<style" not in shown and "<script" not in shown
