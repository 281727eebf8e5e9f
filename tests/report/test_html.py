from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from residua.report.html import Html, element, escape, table

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates too


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def read(markup):
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(ANY_TEXT, ANY_TEXT)
def test_no_text_becomes_markup(text, attribute):
    reader = read(element("p", text, title=attribute))
    assert [tag for tag, _ in reader.tags] == ["p"]
    assert list(reader.tags[0][1]) == ["title"]
    element("p", text, title=attribute).encode()  # can be written


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, blacklist_categories=["Cc"])))
def test_a_reader_sees_the_text_as_it_was(text):
    assert read(element("p", text)).text == text


def test_markup_is_not_escaped_twice():
    assert element("p", element("b", "a < b")) == "<p><b>a &lt; b</b></p>"
    assert escape(Html("<b>")) == "<b>"


def test_attributes_are_spelled_as_html_wants_them():
    assert element("a", class_="x", aria_label="y", title=None) == '<a class="x" aria-label="y"></a>'
    assert element("img", src="s") == '<img src="s">'


def test_a_table_has_a_header_row_and_a_header_column():
    tags = read(table(("a", "b"), [("1", "2")])).tags
    assert [attrs["scope"] for tag, attrs in tags if tag == "th"] == ["col", "col", "row"]
