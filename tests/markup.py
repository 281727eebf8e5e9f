"""HTML as a browser reads it, for tests of pages and cards."""

from html.parser import HTMLParser


class Markup(HTMLParser):
    """Keeps tags and text; fails where tags do not close in order."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data.replace("\N{NO-BREAK SPACE}", " ")

    @property
    def sections(self):
        return [attrs["id"] for tag, attrs in self.tags if tag == "section"]

    @property
    def links(self):
        return [attrs["href"] for tag, attrs in self.tags if tag == "a"]
