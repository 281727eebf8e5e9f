from hypothesis import given
from hypothesis import strategies as st

from residua.description import describe
from residua.description.columns import columns

cells = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=12)


@given(st.lists(st.tuples(cells, st.lists(cells, max_size=30).map(" ".join), cells), min_size=1, max_size=6))
def test_columns_stand_under_each_other_and_fit(rows):
    lines = columns(rows, right=(2,), flexible=1, width=60)
    assert all(len(line) <= 60 for line in lines)
    words = sorted("".join(lines).replace(" ", ""))
    assert words == sorted("".join("".join(row) for row in rows).replace(" ", "")), "no text is lost"


def test_numbers_are_flush_right():
    assert columns([("a", "1,000"), ("bb", "1")], right=(1,), flexible=0) == ["a   1,000", "bb      1"]


def test_the_page_of_resnet50_has_its_sections_in_order():
    headings = [section.heading for section in describe("resnet50").sections()]
    assert headings[0].startswith(
        "resnet50: 25,557,032 parameters, 4,089,184,256 multiply-adds for 3x224x224, depth 50"
    )
    assert headings[1:] == [
        "Shortcuts",
        "Multiply-adds beside the paper",
        "Not as in He et al. 2015",
        "Published (errors and accuracies in percent; never compare across protocols)",
        "What popular texts get wrong",
        "How does option A match the spatial size when it only pads channels?",
        "Why does the first bottleneck take 256-d input in the figure when the stem gives 64?",
    ]


def test_shortcuts_are_told_unit_by_unit():
    def lines(name):
        return "\n".join(next(s for s in describe(name).sections() if s.heading == "Shortcuts").lines)

    assert (
        "stages.1.0       projection by a 1x1/2 convolution, 256x56x56 to 512x28x28, 132,096 parameters"
        in lines("resnet50")
    )
    assert "stages.1.1 .. 3  identity, 512x28x28" in lines("resnet50")
    assert "every 2nd pixel, then 32 zero channels appended, 32x16x16 to 64x8x8, no parameters" in lines(
        "cifar_resnet20"
    )
    assert "none (plain units), 64x56x56 to 128x28x28" in lines("plain18")


def test_the_stages_have_the_papers_names_where_the_paper_names_them():
    assert "stage1 (conv2_x)" in str(describe("resnet18"))
    assert "conv2_x" not in str(describe("cifar_resnet8"))
