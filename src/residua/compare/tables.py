"""What a comparison leaves: a table (CSV, LaTeX), curves, and a page that says what was found."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from residua.analysis.finding import Curve, Finding, Panel
from residua.experiments.rules.sample import Sample
from residua.names import command

COSTS = ("parameters", "multiply_adds")
COLUMNS = ("network", "parameters", "multiply-adds")
_FIGURES = {"test_error": "test error (%)", "train_error": "training error (%)", "seconds": "training (s)"}


def named(measure: str) -> str:
    """A measure in words, with its unit."""
    return _FIGURES.get(measure, measure.replace("_", " ") + (" (%)" if measure.endswith("_error") else ""))


def table(
    costs: Mapping[str, Any], evidence: Mapping[str, Mapping[int, Mapping[str, Any]]], measures: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each network: what it costs, and mean, spread and number of seeds of each measure."""
    rows = []
    for label, cost in costs.items():
        row: dict[str, Any] = {"network": label, **cost}
        for measure in measures:
            values = [v[measure] for v in evidence.get(label, {}).values() if v.get(measure) is not None]
            if values:
                sample = Sample.of(values)
                row[measure] = {"mean": sample.mean, "sd": sample.sd, "n": sample.n}
        rows.append(row)
    return rows


def in_words(rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> list[list[str]]:
    """The table as people read it: a line of heads, and one for each network."""
    return [
        [*COLUMNS, *map(named, measures)],
        *(
            [
                row["network"],
                *(f"{row[key]:,}" for key in COSTS),
                *(mean_and_spread(row.get(m)) for m in measures),
            ]
            for row in rows
        ),
    ]


def as_csv(rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> str:
    """The table with a column for each mean, spread and number of seeds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [f"{measure}{part}" for measure in measures for part in ("", "_sd", "_n")]
    writer.writerow([*COLUMNS, *columns])
    for row in rows:
        figures = [row.get(m, {}).get(part) for m in measures for part in ("mean", "sd", "n")]
        writer.writerow([row["network"], *(row[key] for key in COSTS), *figures])
    return out.getvalue()


def as_latex(rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> str:
    """The table for a paper; it needs the package booktabs."""
    heads = [*COLUMNS, *map(named, measures), "seeds"]
    lines = [
        r"\begin{tabular}{l" + "r" * (len(heads) - 1) + "}",
        r"\toprule",
        " & ".join(map(_latex, heads)) + r" \\",
        r"\midrule",
    ]
    for row in rows:
        cells = [_latex(row["network"]), *(_latex(f"{row[k]:,}") for k in COSTS)]
        cells += [_latex_figure(row.get(measure)) for measure in measures]
        cells.append(str(max((row[m]["n"] for m in measures if m in row), default=0)))
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def as_page(result: Mapping[str, Any], files: Sequence[str]) -> str:
    """The page of the folder, in Markdown."""
    heads, *body = (f"| {' | '.join(cells)} |" for cells in in_words(result["table"], result["measures"]))
    rule = "|---" + "|---:" * (len(COLUMNS) + len(result["measures"]) - 1) + "|"
    lines = [f"# {result['a']} against {result['b']}", "", result["sentence"], "", heads, rule, *body, ""]
    lines.append("\n\n".join(["Mean ± standard deviation over seeds.", *result["notes"]]))
    lines += ["", "![curves](figure.svg)", "", f"Files: {', '.join(files)}.", ""]
    return "\n".join([*lines, f"    {command(*result['command'])}", ""])


def as_findings(result: Mapping[str, Any]) -> dict[str, Finding]:
    """For each network its curves (mean over seeds), the measure seed by seed, and the E-values of its being better."""
    measure = result["metric"]
    found = {}
    for label, runs in result["evidence"].items():
        seeds = {int(seed): values for seed, values in runs.items()}
        found[label] = Finding(
            kind="compare",
            title="Compared",
            columns=("seed", measure),
            rows=[(seed, values.get(measure)) for seed, values in sorted(seeds.items())],
            sentence=result["sentence"],
            panels=[*_curves(seeds), _by_seed(seeds, measure), _by_pair(result, label)],
        )
    return found


def mean_and_spread(figure: Mapping[str, Any] | None) -> str:
    """``8.75 ± 0.31 (n = 5)``."""
    if figure is None:
        return "-"
    spread = "" if figure["sd"] is None else f" ± {figure['sd']:.2g}"
    return f"{figure['mean']:.4g}{spread} (n = {figure['n']})"


def _curves(seeds: Mapping[int, Mapping[str, Any]]) -> list[Panel]:
    panels = []
    for key, title in (
        ("curve_test_error", "error on the test images"),
        ("curve_train_error", "training error"),
    ):
        curves = [values[key] for values in seeds.values() if values.get(key)]
        if curves:
            y = [_mean(at) for at in zip(*curves, strict=False)]
            x = next(iter(seeds.values()))["curve_epoch"][: len(y)]
            curve = Curve(label=title, x=x, y=y)
            panels.append(
                Panel(title=title, x_label="epoch", y_label="error (%), mean over seeds", curves=[curve])
            )
    return panels


def _by_seed(seeds: Mapping[int, Mapping[str, Any]], measure: str) -> Panel:
    known = sorted(seed for seed, values in seeds.items() if values.get(measure) is not None)
    curve = Curve(label=measure, x=known, y=[float(seeds[seed][measure]) for seed in known], style="points")
    return Panel(
        title=f"{named(measure)}, seed by seed", x_label="seed", y_label=named(measure), curves=[curve]
    )


def _by_pair(result: Mapping[str, Any], label: str) -> Panel:
    """The E-values after every pair; what is of both networks is drawn with the first."""
    trail = result["paired"]["trail"]
    known = {"is better": trail["against" if label == result["a"] else "toward"]}
    if label == result["a"]:
        known |= {
            "no difference": trail["alike"],
            "decides": [result["paired"]["decides"]] * len(trail["toward"]),
        }
    curves = [Curve(label=name, x=range(1, len(es) + 1), y=es) for name, es in known.items() if es]
    return Panel(title="E-values by pair", x_label="pairs", y_label="E-value", curves=curves, log_y=True)


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else float("nan")


def _latex(text: str) -> str:
    for character in "&%#_":
        text = text.replace(character, "\\" + character)
    return text.replace("±", r"$\pm$")


def _latex_figure(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "--"
    return (
        f"${figure['mean']:.4g}$"
        if figure["sd"] is None
        else f"${figure['mean']:.4g} \\pm {figure['sd']:.2g}$"
    )
