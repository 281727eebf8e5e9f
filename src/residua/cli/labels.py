"""``residua labels``."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any

from cyclopts import Parameter

from residua.cli.say import note, say, say_json, say_table

_SHOWN = 20
_COLUMNS = ("image", "label", "suggested", "label_probability", "suggested_probability")


def labels(
    run: str,
    data: str | None = None,
    /,
    *,
    folds: int = 4,
    weights: Annotated[str | None, Parameter(name=["--weights", "--pretrained"])] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Find training images whose label is probably wrong, by networks that did not train on them.

    The run's training is done again --folds times, each time without a part of the training images: as many trainings
    as folds. An interrupted command goes on where it was. The list and a page with pictures lie in the run folder,
    under labels/. (Suspected labels of test and validation images stand in the run's report.)

    Args:
        run: a finished run of a classifier: a folder, a name under runs/, or latest.
        data: where the run's images lie now, if they have moved.
        folds: parts that the training images are dealt into, from 2 to 20.
        weights: what the run was fine-tuned from, if it was, and not from what comes with the package.
        json: print one JSON object.

    """
    from residua.evaluation.label_errors import listed_suspects
    from residua.evaluation.out_of_fold import PLACE, known_start, out_of_fold
    from residua.files import write_text
    from residua.loading import load_weights
    from residua.report.label_page import SHOWN, render_labels
    from residua.runs.find import resolve_run
    from residua.runs.folder import RunFolder
    from residua.runs.record import read_run

    folder = RunFolder(resolve_run(run))
    start = known_start(folder) if weights is None else load_weights(weights, folder.spec)
    if folder.env.get("weights") and start is None:
        note(
            f"{folder.name} began from weights that it does not name: --weights names them, else all begin anew"
        )
    whole, outputs = out_of_fold(
        folder,
        folds=folds,
        weights=start,
        data=data,
        began=lambda number, count: note(f"fold {number} of {count}"),
    )
    listed = listed_suspects(whole, {"train": outputs}, pictures=SHOWN)
    rows = [_row(one) for one in listed]
    place = folder.path / PLACE
    write_text(place / "suspects.csv", _csv(rows))
    page = render_labels(read_run(folder.path), listed, place / "suspects.html")
    accuracy = float((outputs.log_probabilities.argmax(1) == outputs.labels).mean())
    if json:
        found = {"images": len(outputs.labels), "folds": folds, "accuracy": accuracy, "suspects": rows}
        say_json({"schema": 1, "run": str(folder.path), **found, "page": str(page)})
        return
    say(
        f"{len(rows)} of {len(outputs.labels)} labels are suspected; out of fold {accuracy:.2%} are told right"
    )
    if rows:
        say_table(_COLUMNS, [[_cell(row[key]) for key in _COLUMNS] for row in rows[:_SHOWN]], right=(3, 4))
    say("", f"all of them: {place / 'suspects.csv'}", f"pictures:    {page}")


def _row(suspect: dict[str, Any]) -> dict[str, Any]:
    """What is listed of a suspect: its file, or its position among the training images."""
    image = suspect["position"] if suspect["path"] is None else suspect["path"]
    return {"image": image, **{key: suspect[key] for key in _COLUMNS[1:]}}


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list[str](_COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
