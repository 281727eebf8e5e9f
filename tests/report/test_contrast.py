"""Words in colour can be read: 4.5 to 1 against what they stand on (WCAG 2.2, 1.4.3), on light, dark and paper."""

import re
from importlib.resources import files

import pytest

STYLE = files("residua.report").joinpath("templates/style.css").read_text(encoding="utf-8")
BLOCKS = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
LIGHT, DARK, PAPER = ({**dict(re.findall(r"(--[\w-]+): (#\w+);", block))} for block in BLOCKS)
WORDS = set(re.findall(r"^\.(?:badge|verdict)\.[^{]*\{[^}]*?\bcolor: var\((--\w+)\)", STYLE, re.MULTILINE))


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_itself():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_badges_and_verdicts_have_colours_of_their_own():
    assert {"--good", "--bad", "--caution", "--soft"} <= WORDS


@pytest.mark.parametrize("name", sorted(WORDS | {"--ink", "--soft", "--accent"}))
@pytest.mark.parametrize("theme", ["light", "dark", "paper"])
def test_words_can_be_read(name, theme):
    colours = {"light": LIGHT, "dark": LIGHT | DARK, "paper": LIGHT | PAPER}[theme]
    for ground in ("--paper", "--card"):
        assert contrast(colours[name], colours[ground]) >= 4.5, (colours[name], colours[ground])
