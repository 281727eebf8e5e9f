import re
import string
from pathlib import Path

import pytest

from residua.errors import UsageError
from residua.report import language
from residua.report.language import TEXT, translator


def fields(template):
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name)


@pytest.mark.parametrize("key", TEXT)
def test_both_languages_say_it_with_the_same_fields(key):
    en, zh = TEXT[key]
    assert en.strip() and zh.strip()
    assert set(fields(en)) == set(fields(zh))
    assert not re.search("[\u4e00-\u9fff]", en)


def test_chinese_is_chinese_wherever_there_are_words():
    same_by_nature = {"comma", "colon", "mistake", "of_run"}
    for key, (_, zh) in TEXT.items():
        assert key in same_by_nature or re.search("[\u4e00-\u9fff]", zh), key


def test_no_text_is_without_use_and_none_is_missing():
    source = "".join(
        p.read_text() for p in Path(language.__file__).parent.glob("*.py") if p.name != "language.py"
    )
    said = set(re.findall(r"""["']([a-z_0-9]+(?: [a-z]+)*)["']""", source))
    kinds = {f"say_{kind}" for kind in ("degraded", "overfitted")}  # f-strings
    assert set(TEXT) <= said | kinds
    assert set(re.findall(r'\bt\(\s*"(\w+)"', source)) <= set(TEXT)


def test_an_unknown_language_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"no language 'fr'.*en, zh"):
        translator("fr")
