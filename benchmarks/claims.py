"""The claims, one by one, beside what was measured: ``python -m benchmarks.claims [--from OUT]`` makes the pages.

``--from`` takes over the results under the ``--out`` of ``residua reproduce`` into ``benchmarks/results/reproduce``,
which is committed. There every result is judged anew from the evidence in it, by the rules of now and without training;
``docs/claims.md`` and ``docs/claims.zh-CN.md`` are made from there alone.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS
from residua.experiments.catalogue import claims
from residua.experiments.claims import Claim
from residua.experiments.experiment import SCALES
from residua.experiments.store import judged_anew, result_path
from residua.files import read_json, write_text
from residua.published import published
from residua.report.all_claims import say_all_claims
from residua.report.experiment_charts import words
from residua.report.experiment_result import Result, find_results, read_result
from residua.report.numbers import published_value, spread
from residua.report.reproduction import VerdictLabel, repeat_command, title, verdict
from residua.report.translation import translator

FOLDER = RESULTS / "reproduce"
DOCS = RESULTS.parent.parent / "docs"
PAGES = {"claims.md": "en", "claims.zh-CN.md": "zh"}
_DIGITS = 4  # of what is kept of curves

WORDS: dict[str, tuple[str, str]] = {
    "title": ("The claims, checked", "逐条检验的论断"),
    "made": (
        "Made by `python -m benchmarks.claims` from the committed results in "
        "[benchmarks/results/reproduce](../benchmarks/results/reproduce). How experiments are run and judged: "
        "[reproduce.md](reproduce.md). 中文：[claims.zh-CN.md](claims.zh-CN.md).",
        "由 `python -m benchmarks.claims` 根据 "
        "[benchmarks/results/reproduce](../benchmarks/results/reproduce) 中已提交的结果生成。"
        "实验如何运行、如何判定：[reproduce.md](reproduce.md)（英文）。English: [claims.md](claims.md).",
    ),
    "means": (
        "Measured values are means over seeds ± their standard deviation; n is the number of seeds. A published value "
        "marked “not comparable here” is of other data or a longer training: then only the direction is judged.",
        "实测值为各随机种子的平均值 ± 标准差，n 为种子数。标有“此处不可比”的已发表数值来自其他数据或更长的训练，"
        "此时只判定方向。",
    ),
    "head": ("| | claim | experiment, scale: verdict |", "| | 论断 | 实验与规模：判定 |"),
    "table": ("| arm | measure | measured | published |", "| 组 | 指标 | 实测 | 已发表 |"),
    "unconfirmed": ("unconfirmed", "未经核实"),
    "not_comparable": ("not comparable here", "此处不可比"),
    "misquoted": ("Often misquoted", "常见的误引"),
    "truth": ("the source", "原始文献"),
    "above": ("see {claim}", "见 {claim}"),
    "no result yet": ("no result yet", "尚无结果"),
    "on": ("{scale}, on {data}", "{scale}，数据：{data}"),
    "evidence": ("evidence", "证据"),
}


def collect(out: Path, into: Path = FOLDER) -> list[Path]:
    """Take over every result under ``out``: curves rounded, no path of the machine that made it.

    A result that holds measurements is not replaced by one that holds none.
    """
    taken = []
    for found in find_results(out):
        values = read_result(found).values
        path = result_path(into, values["experiment"], values["scale"])
        if not values["evidence"] and path.exists() and read_json(path)["evidence"]:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, _compact(portable(values)))
        taken.append(path)
    return taken


def judge_anew(folder: Path = FOLDER) -> list[str]:
    """Judge every committed result by the rules of now, from the evidence in it; the names of those to be run again.

    Nothing is trained. One that was run otherwise than its experiment is now has no verdict any more, and goes.
    """
    gone = []
    for path in find_results(folder):
        values = read_json(path)
        found = judged_anew(values)
        if found is None:
            gone.append(f"{values['experiment']}, {values['scale']}")
            path.unlink()
        elif (text := _compact(portable(found))) != path.read_text(encoding="utf-8"):
            write_text(path, text)
    return gone


def portable(value: Any) -> Any:
    """The same values for other readers: absolute paths are called PATH, numbers in lists have four digits."""
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [float(f"{v:.{_DIGITS}g}") if isinstance(v, float) else portable(v) for v in value]
    if isinstance(
        value, str
    ):  # what follows a colon, a word or a slash is the rest of an address; "/10" divides a learning rate
        return re.sub(r"(?<![\w:/.])/(?!\d+\b)[\w.+@-]+(?:/[\w.+@-]*)*", "PATH", value)
    return value


def page(results: Sequence[Result], lang: str) -> str:
    """The Markdown page in a language."""
    t, column = translator(lang), list(PAGES.values()).index(lang)

    def say(key: str, **fields: Any) -> str:
        return WORDS[key][column].format(**fields)

    lines = [
        f"# {say('title')}",
        "",
        say("made"),
        "",
        say("means"),
        "",
        *_summary(results, lang),
        say("head"),
        "|---|---|---|",
    ]
    known = claims()
    by_claim = {claim: [r for r in results if claim in {c["id"] for c in r["claims"]}] for claim in known}
    for claim, found in by_claim.items():
        verdicts = [f"{r['experiment']}, {r['scale']}: {_bold(verdict(r['verdict'], t))}" for r in found]
        told = "<br>".join(verdicts) or say("no result yet")
        lines.append(f"| [{claim}](#{claim.lower()}) | {_cell(_text(known[claim], lang))} | {told} |")
    shown: dict[tuple[str, str], str] = {}  # experiment and scale: the claim under which it stands
    for claim, found in by_claim.items():
        lines += ["", f"## {claim}", "", _cell(_text(known[claim], lang))]
        lines += _misquotes(known[claim], say)
        for result in found:
            key = result["experiment"], result["scale"]
            if key in shown:
                above = say("above", claim=f"[{shown[key]}](#{shown[key].lower()})")
                lines += ["", f"**{key[0]}, {key[1]}**: {verdict(result['verdict'], t).word} ({above})"]
            else:
                shown[key] = claim
                lines += ["", *_result(result, lang, say)]
        if not found:
            lines += ["", f"*{say('no result yet')}*"]
    return "\n".join(lines) + "\n"


def _summary(results: Sequence[Result], lang: str) -> list[str]:
    """What is said of all claims together."""
    said = say_all_claims(results, translator(lang))
    return [said, ""] if said else []


def stored(folder: Path = FOLDER) -> list[Result]:
    """The committed results, by experiment and scale."""
    results = [read_result(path) for path in find_results(folder)]
    return sorted(results, key=lambda r: (r["experiment"], SCALES.index(r["scale"])))


def _result(result: Result, lang: str, say: Callable[..., str]) -> Iterator[str]:
    t = translator(lang)
    link = f"../benchmarks/results/reproduce/{result['experiment']}/{result['scale']}/result.json"
    on = say("on", scale=result["scale"], data=result["data"].get("source") or "–")
    judged = _bold(verdict(result["verdict"], t))
    because = f" ({_cell(result['reason'])})" if result["reason"] else ""
    yield f"**{_cell(title(result, lang))}** ({_cell(result['where'])}; {on}): {judged}{because}"
    yield ""
    if result["table"]:
        yield say("table")
        yield "|---|---|---:|---|"
        for row in result["table"]:
            beside = "; ".join(
                f"{published_value(p.get('value'))} ({p['source']}"
                f"{'' if p['status'] == 'verified' else ', ' + say('unconfirmed')}"
                f"{', ' + say('not_comparable') if result.incomparable else ''})"
                for p in row["published"]
            )
            measured = f"{spread(row['mean'], row['sd'])} (n = {row['n']})"
            yield f"| {_cell(row['arm'])} | {_cell(words(row['measure'], t))} | {measured} | {_cell(beside or '–')} |"
        yield ""
    for check in result["checks"]:
        yield f"- {verdict(check['status'], t).word}: {_cell(check['text'])} [{_cell(check['reason'])}]"
    if result["checks"]:
        yield ""
    yield f"`{repeat_command(result, 'PATH')}` · [{say('evidence')}]({link})"


def _misquotes(claim: Claim, say: Callable[..., str]) -> Iterator[str]:
    known = published().misquotes
    for quote in (known[name] for name in claim.misquotes):
        doubt = "" if quote.status == "verified" else f" ({say('unconfirmed')})"
        yield ""
        yield f"{say('misquoted')}: “{_cell(quote.claim)}”; {say('truth')}: {_cell(quote.truth)}{doubt}"


def _text(claim: Claim, lang: str) -> str:
    return claim.zh if lang == "zh" else claim.text


def _bold(judged: VerdictLabel) -> str:
    return judged.word if judged.kind == "open" else f"**{judged.word}**"


def _cell(text: object) -> str:
    """Text that no table, no markup and no heading of Markdown is made of."""
    plain = " ".join(str(text).split())
    return re.sub(r"([\\|*`\[\]])", r"\\\1", plain).replace("<", "&lt;")


def _compact(values: dict[str, Any]) -> str:
    """Indented JSON with a list of numbers on one line."""
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    return re.sub(r"\[[^\[\]{}\"]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def main() -> None:
    """Take over results, if any are named, and make the pages of all that are committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="out", type=Path, help="the --out of residua reproduce")
    given = parser.parse_args()
    if given.out is not None:
        print(f"taken over: {len(collect(given.out))} results")
    for name in judge_anew():
        print(f"run it again, for its networks or their training have changed: {name}")
    results = stored()
    for name, lang in PAGES.items():
        write_text(DOCS / name, page(results, lang))


if __name__ == "__main__":
    main()
