"""``residua bench``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from residua.cli.say import note, say, say_json, say_table
from residua.errors import UsageError

if TYPE_CHECKING:
    from residua.deploy.artifact import Artifact
    from residua.deploy.bench import Bench
    from residua.deploy.subject import Subject

_HEAD = (
    "backend",
    "precision",
    "batch",
    "images/s",
    "quartiles",
    "to eager",
    "p50 ms",
    "p99 ms",
    "max error",
)


def bench(
    source: str,
    /,
    *,
    batch_size: Annotated[str, Parameter(name=["--batch-size", "-b"])] = "1,16",
    backends: str | None = None,
    threads: int | None = None,
    data: str | None = None,
    rounds: int = 5,
    seconds: float = 0.5,
    best: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
    page: Path | None = None,
    figure: Path | None = None,
    lang: Literal["en", "zh"] = "en",
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Time a network on this machine with everything that can run it, in turns, and check the answers.

    What is not installed, and a precision that the processor would only emulate, is left out with the reason.

    Args:
        source: a run, its name under runs/, latest, a weight file, published weights, an artifact, or the name of a
            network, which is timed with random weights and calibrated on seeded noise.
        batch_size: images that are shown at once, with commas: 1,16.
        backends: only these, with commas, such as openvino,onnxruntime; eager is timed beside them.
        threads: for all of them; by default one for each usable core.
        data: the images; by default those of the run, and seeded noise for others.
        rounds: how often each has its turn.
        seconds: that a turn lasts, about.
        best: export the fastest as an artifact, and say where it stands.
        out: with --best the folder of the artifact; by default artifacts/FORMAT-PRECISION in the run folder.
        page: also write the table and the figure as an HTML page.
        figure: also draw the figure alone: a .png, .svg or .pdf file.
        lang: language of the page.
        overwrite: replace a page, figure or artifact that exists.
        json: print one JSON object.

    """
    sizes = _sizes(batch_size)
    from residua.deploy.bench import bench as time_all
    from residua.deploy.subject import open_subject
    from residua.report.bench_page import draw_bench, render_bench
    from residua.report.render import check_page

    if page is not None:
        check_page(page, own=None, overwrite=overwrite)
    if figure is not None and figure.exists() and not overwrite:
        raise UsageError(f"{figure} exists: --overwrite replaces it")
    subject = open_subject(source)
    if best and (subject.fresh or subject.trained is None):
        what = "has random weights" if subject.fresh else "is an artifact already"
        raise UsageError(f"--best exports a trained network, and {subject.name} {what}")
    found = time_all(
        subject,
        batch_sizes=sizes,
        backends=None if backends is None else [name.strip() for name in backends.split(",")],
        threads=threads,
        data=data,
        rounds=rounds,
        seconds=seconds,
        progress=_tell if sys.stderr.isatty() else None,
    )
    if figure is not None:
        draw_bench(found, figure)
    if page is not None:
        render_bench(found, page, lang=lang)
    artifact = _export(subject, found, data, out, overwrite=overwrite) if best else None
    if json:
        say_json(found.to_dict() | ({"best": str(artifact.path)} if artifact else {}))
        return
    for text in found.notes:
        note(text)
    say_table(_HEAD, _rows(found), right=range(2, len(_HEAD)))
    for one in found.skipped:
        size = f", batch {one['batch_size']}" if "batch_size" in one else ""
        note(f"left out: {one['backend']} {one['precision']}{size}: {one['reason']}")
    say(*(str(path) for path in (page, figure, artifact and artifact.path) if path is not None))


def _sizes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--batch-size takes whole numbers with commas, such as 1,16, not {text!r}"
        ) from error


def _tell(text: str) -> None:
    print(f"{text} ...", file=sys.stderr)


def _export(
    subject: Subject, found: Bench, data: str | None, out: Path | None, *, overwrite: bool
) -> Artifact:
    """The artifact of the fastest that can be one; what is faster and can not is said."""
    from residua.deploy.backend import Backend
    from residua.deploy.export import export
    from residua.parts import parts

    formats: dict[str, Any] = {
        kind: backend.format for kind, backend in parts(Backend.slot).items() if backend.format
    }
    winner, fastest = found.winner(formats), found.winner()
    if fastest != winner:
        note(f"{fastest.backend} {fastest.precision} is faster than {winner.backend}, and is no artifact")
    assert subject.trained is not None
    return export(
        subject.trained,
        format=formats[winner.backend],
        precision=winner.precision,
        data=data,
        out=out,
        overwrite=overwrite,
    )


def _rows(found: Bench) -> list[list[str]]:
    rows = []
    for row in found.rows:
        low, high = row.images_per_second_quartiles
        rows.append(
            [
                row.backend,
                row.precision,
                str(row.batch_size),
                f"{row.images_per_second:,.1f}",
                f"{low:,.1f}-{high:,.1f}",
                "-" if row.speedup is None else f"{row.speedup:.2f}x",
                f"{row.latency_ms['p50']:.2f}",
                f"{row.latency_ms['p99']:.2f}",
                "-" if row.max_error is None else f"{row.max_error:.1e}",
            ]
        )
    return rows
