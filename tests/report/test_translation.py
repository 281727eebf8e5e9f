import re
import string
from pathlib import Path

import pytest

from residua.errors import UsageError
from residua.report import translation
from residua.report.translation import LANGUAGES, messages, translator

EN, ZH = (messages(lang) for lang in LANGUAGES)


def fields(template):
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_language_has_the_same_keys_in_the_same_order():
    assert list(EN) == list(ZH)


@pytest.mark.parametrize("key", EN)
def test_both_languages_say_it_with_the_same_fields(key):
    assert EN[key].strip() and ZH[key].strip()
    assert fields(EN[key]) == fields(ZH[key])
    assert not re.search("[\u4e00-\u9fff]", EN[key])


def test_chinese_is_chinese_wherever_there_are_words():
    same_by_nature = {"html_lang", "comma", "colon", "semicolon", "mistake", "of_run"}
    for key, zh in ZH.items():
        assert key in same_by_nature or re.search("[\u4e00-\u9fff]", zh), key


def test_no_text_is_without_use_and_none_is_missing():
    room = Path(translation.__file__).parent
    code = "".join(path.read_text() for path in room.glob("*.py"))
    templates = "".join(path.read_text() for path in room.glob("templates/*.html"))
    kinds = {f"say_{kind}" for kind in ("degraded", "overfitted")}  # f-strings
    kinds |= {f"search_{status}" for status in ("trained", "too_slow", "no_time", "waiting")}
    said = set(re.findall(r"""["']([a-z_0-9]+(?: [a-z]+)*)["']""", code)) | kinds
    said |= set(re.findall(r"""(?<={% macro )\w+|(?<=\bt\(["'])[\w ]+""", templates))
    assert set(EN) <= said
    assert set(re.findall(r"""\bt\(\s*["']([\w ]+)["']""", code + templates)) <= set(EN)


def test_an_unknown_language_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"no language 'fr'.*en, zh"):
        translator("fr")
