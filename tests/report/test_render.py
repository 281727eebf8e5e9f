import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from residua.report import render
from residua.report.render import fill

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates too


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text.append("")

    def handle_data(self, data):
        self.text[-1:] = ["".join(self.text[-1:]) + data]


def read(markup):
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


def chart(title, **changes):
    values = {"title": title, "box": "", "drawing": "", "legend": [], "note": title, "colours": 6}
    values |= {"points": [], "values": None, **changes}
    return fill("chart.html", **values)


@given(ANY_TEXT)
def test_no_text_becomes_markup(text):
    reader = read(chart(text))
    assert [tag for tag, _ in reader.tags] == ["figure", "figcaption", "svg", *["p"] * bool(text)]
    assert [list(attrs) for _, attrs in reader.tags[:3]] == [["class"], [], ["viewbox", "role", "aria-label"]]
    chart(text).encode()  # can be written


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, blacklist_categories=["Cc"]), min_size=1)
)
def test_a_reader_sees_the_text_as_it_was(text):
    reader = read(chart(text))
    assert reader.text[1] == text and reader.tags[2][1]["aria-label"] == text


def test_only_markup_is_not_escaped():
    assert "<b></svg>" in chart("T", drawing=Markup("<b>"))
    assert "&lt;b&gt;</svg>" in chart("T", drawing="<b>")


def test_no_template_switches_the_escaping_off():
    room = Path(render.__file__).parent / "templates"
    sources = [path.read_text(encoding="utf-8") for path in room.glob("*.html")]
    assert len(sources) >= 7
    assert not any(re.search(r"\|\s*safe|autoescape|\{%\s*raw", source) for source in sources)


def test_a_value_that_a_template_lacks_is_an_error_and_no_blank():
    with pytest.raises(UndefinedError, match="'box' is undefined"):
        fill("chart.html", title="T")
