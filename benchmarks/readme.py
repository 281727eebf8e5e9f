"""Fill the table of results in the README files from the stored evidence: ``python -m benchmarks.readme``."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.accuracy import FOLDER, GRIDS
from benchmarks.claims import FOLDER as FOLDER_OF_CLAIMS
from benchmarks.claims import stored
from benchmarks.harness import RESULTS
from residua.experiments.catalogue import experiments
from residua.experiments.rules.evalue import FEWEST
from residua.files import read_json, write_text
from residua.machine import instruction_set
from residua.report.experiment_result import read_result
from residua.report.numbers import spread
from residua.report.reproduction import MEANINGS, repeat_command, verdict
from residua.report.translation import translator

ROOT = RESULTS.parent.parent
START, END = "<!-- {name}: python -m benchmarks.readme -->", "<!-- end of {name} -->"
STEPS = RESULTS / "step" / "amx.json"
DEGRADATION = FOLDER_OF_CLAIMS / "he2015" / "degradation" / "small" / "result.json"
LANGUAGES = {"README.md": 0, "README.zh-CN.md": 1}

WORDS: dict[str, tuple[str, str]] = {
    "header": ("| what | command | measured |", "| 内容 | 命令 | 实测 |"),
    "digits": ("test accuracy on the digits, seeds 0-2", "手写数字测试准确率，种子 0-2"),
    "digits_folds": ("the same, 5-fold", "同上，五折"),
    "cifar10_head": (
        "ResNet-20 on 4,576 CIFAR-10 images, 20 epochs, seeds 0-2",
        "ResNet-20，4,576 张 CIFAR-10 图片，20 轮，种子 0-2",
    ),
    "mean": (
        "{mean:.2f} % mean, spread {spread:.2f}, {seconds:.0f} s",
        "平均 {mean:.2f} %，离散 {spread:.2f}，{seconds:.0f} 秒",
    ),
    "step": ("training step, {case}", "训练步，{case}"),
    "ratio": (
        "{rate:,.0f} images/s; {usual:.2f} x torchvision as usually trained, "
        "{same:.2f} x with the same layout and precision",
        "{rate:,.0f} 张/秒；是通常写法的 torchvision 的 {usual:.2f} 倍，同样布局与精度下的 {same:.2f} 倍",
    ),
    "busy": ("40 steps beside a busy process", "旁边有一个繁忙进程时的 40 步"),
    "seconds": (
        "{own:.1f} s; {default:.1f} s with OpenMP's default waiting",
        "{own:.1f} 秒；OpenMP 默认等待方式下 {default:.1f} 秒",
    ),
    "verdicts": ("| verdict | experiments |", "| 判定 | 实验数 |"),
    "all": (
        "`residua reproduce all --scale quick`, on the bundled digits: {n} of {known} experiments have a result; "
        "those that are new, or were changed after a first look, were not run yet. Claim by claim, with the published "
        "figures: the [table](docs/claims.md).",
        "`residua reproduce all --scale quick`，在内置手写数字上：{known} 个实验中有 {n} 个已有结果；"
        "新增的和初次查看后修改过的还没有运行。逐条论断及其已发表数值见[总表](docs/claims.zh-CN.md)。",
    ),
    "degradation": (
        "`{command}`: {epochs} epochs of 50,000 CIFAR-10 images (lossy JPEG copies, so not comparable with published "
        "errors), seeds {seeds}. Final errors in percent, mean ± standard deviation over the seeds. "
        "Verdict: **{verdict}**.",
        "`{command}`：CIFAR-10 的 50,000 张图片（有损 JPEG 副本，不可与已发表误差比较），{epochs} 轮，种子 {seeds}。"
        "最终误差（%），各种子的平均值 ± 标准差。判定：**{verdict}**。",
    ),
    "few": (" Fewer than {n} seeds decide nothing.", "少于 {n} 个种子不作判定。"),
    "nets": ("| network | training error | test error |", "| 网络 | 训练误差 | 测试误差 |"),
    "where": (
        "{cpu} ({kind}), {cores} cores, torch {torch}. Evidence: [benchmarks/results](benchmarks/results).",
        "{cpu}（{kind}），{cores} 核，torch {torch}。证据：[benchmarks/results](benchmarks/results)。",
    ),
}


def section(language: int) -> str:
    """The table of what was measured of residua."""

    def say(key: str, **values: Any) -> str:
        return WORDS[key][language].format(**values)

    rows = [*_accuracies(say), *_steps(say), *_busy(say)]
    machine = read_json(STEPS)["machine"]
    where = say(
        "where",
        cpu=machine["cpu"],
        kind=instruction_set(machine["instructions"]),
        cores=machine["usable_cores"],
        torch=machine["versions"]["torch"],
    )
    return "\n".join([say("header"), "|---|---|---|", *rows, "", where])


def claims(language: int) -> str:
    """The verdicts at the quick scale, and degradation on CIFAR-10."""

    def say(key: str, **values: Any) -> str:
        return WORDS[key][language].format(**values)

    translate = translator("zh" if language else "en")
    quick = Counter(result["verdict"] for result in stored() if result["scale"] == "quick")
    lines = [say("all", n=quick.total(), known=len(experiments())), "", say("verdicts"), "|---|---:|"]
    lines += [
        f"| {verdict(status, translate).word} | {quick[status]} |" for status in MEANINGS if quick[status]
    ]
    result = read_json(DEGRADATION)
    seeds = sorted({int(seed) for runs in result["evidence"].values() for seed in runs})
    said = say(
        "degradation",
        command=repeat_command(read_result(DEGRADATION), "PATH"),
        epochs=result["recipe"]["epochs"],
        seeds=f"{seeds[0]}-{seeds[-1]}",
        verdict=verdict(result["verdict"], translate).word,
    )
    if len(seeds) < FEWEST:
        said += say("few", n=FEWEST)
    lines += ["", said, "", say("nets"), "|---|---:|---:|"]
    measured = {(row["arm"], row["measure"]): spread(row["mean"], row["sd"]) for row in result["table"]}
    for arm in result["evidence"]:
        lines.append(f"| {arm} | {measured[arm, 'train_error']} | {measured[arm, 'test_error']} |")
    return "\n".join(lines)


SECTIONS = {"results": section, "claims": claims}


def _accuracies(say: Callable[..., str]) -> list[str]:
    rows = []
    for grid in GRIDS:
        results = [read_json(FOLDER / grid.name / str(n) / "result.json") for n in grid.numbers]
        accuracies = [100 * result["test_accuracy"] for result in results]
        command = " ".join(["residua train", *grid.arguments]).replace("{data}", "PATH").replace("{n}", "N")
        measured = say(
            "mean",
            mean=statistics.mean(accuracies),
            spread=statistics.stdev(accuracies),
            seconds=statistics.median(result["seconds"] for result in results),
        )
        rows.append(f"| {say(grid.name)} | `{command}` | {measured} |")
    return rows


def _steps(say: Callable[..., str]) -> list[str]:
    evidence = read_json(STEPS)
    rows = []
    for case in evidence["cases"]:
        best = max((name for name in case["candidates"] if name.startswith("residua")), key=_speed(case))
        same = case["candidates"]["torchvision channels_last bf16"]
        own = case["candidates"][best]
        pairs = zip(same["seconds"], own["seconds"], strict=True)
        measured = say(
            "ratio",
            rate=own["images_per_second"],
            usual=own["speedup"],
            same=statistics.median(theirs / ours for theirs, ours in pairs),
        )
        rows.append(
            f"| {say('step', case=case['case'])} | `python -m benchmarks run step` | {best}: {measured} |"
        )
    return rows


def _speed(case: dict[str, Any]) -> Callable[[str], float]:
    return lambda name: case["candidates"][name]["speedup"]


def _busy(say: Callable[..., str]) -> list[str]:
    evidence = read_json(RESULTS / "busy.json")
    default, own = evidence["seconds"]["1 busy neighbours"].values()
    measured = say("seconds", own=statistics.median(own), default=statistics.median(default))
    return [f"| {say('busy')} | `{evidence['command']}` | {measured} |"]


def filled(path: Path, language: int) -> str:
    """The text of a README with its tables made anew."""
    text = path.read_text(encoding="utf-8")
    for name, make in SECTIONS.items():
        start, end = START.format(name=name), END.format(name=name)
        made = f"{start}\n{make(language)}\n{end}"
        text = re.sub(
            f"{re.escape(start)}.*?{re.escape(end)}", lambda _, made=made: made, text, flags=re.DOTALL
        )
    return text


def main() -> None:
    """Rewrite both files."""
    for name, language in LANGUAGES.items():
        write_text(ROOT / name, filled(ROOT / name, language))


if __name__ == "__main__":
    main()
