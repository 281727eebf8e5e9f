"""``residua export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from residua.cli.say import note, say, say_json

if TYPE_CHECKING:
    from residua.deploy.artifact import Artifact


def export(
    source: str,
    /,
    *,
    format: Annotated[str, Parameter(name=["--format", "-f"])] = "onnx",
    precision: Annotated[str, Parameter(name=["--precision", "-p"])] = "fp32",
    data: str | None = None,
    out: Path | None = None,
    max_drop: float = 0.5,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write a trained network as an artifact: one folder that holds the model, its preprocessing and its labels.

    Args:
        source: a run folder, its name under runs/, latest, a weight file, a peer's checkpoint or published weights.
        format: onnx, openvino or pt2.
        precision: fp32, bf16, fp16 or int8; a format says which it has.
        data: the images that it is compared on; by default those of the run, and noise for a weight file.
        out: the folder to write; by default artifacts/FORMAT-PRECISION in the run folder.
        max_drop: points of accuracy that int8 may lose; layers that lose more stay float32, or else all of them.
        overwrite: replace an artifact that stands there.
        json: print one JSON object.

    """
    from residua.deploy.export import export as write

    artifact = write(
        source,
        format=format,
        precision=precision,
        data=data,
        out=out,
        max_drop=max_drop,
        overwrite=overwrite,
    )
    if json:
        say_json({**artifact.to_dict(), "path": str(artifact.path)})
        return
    for text in artifact.notes:
        note(text)
    say(*_text(artifact))


def _text(artifact: Artifact) -> list[str]:
    """What was made, how near it is, what it cost."""
    parity, accuracy, wish = artifact.parity, artifact.accuracy, artifact.quantization
    fallen = f"; not int8: {wish.fallback}" if wish and wish.fallback else ""
    lines = [f"{artifact.name} as {artifact.format} in {artifact.precision}{fallen}: {artifact.path}"]
    same = "" if parity.agreement is None else f", the same top class for {parity.agreement:.1%}"
    lines.append(
        f"on {parity.images} {parity.of}: outputs differ by {parity.max_error:.2g} at most "
        f"({parity.relative_error:.2g} of the largest){same}"
    )
    if accuracy:
        low, high = (100 * end for end in accuracy.interval)
        lines.append(
            f"top-1 on {accuracy.images} {accuracy.of}: {accuracy.before:.2%} before, {accuracy.after:.2%} after "
            f"(95 % interval of the change: {low:+.2f} to {high:+.2f} points)"
        )
    if wish and not wish.fallback:
        lines.append(
            f"{wish.quantized} of {wish.layers} layers in int8, calibrated on {wish.calibration_images} "
            f"{wish.calibrated_on}; on {wish.decided_on} of these it loses {wish.drop:.2f} points"
        )
    size = "any size" if artifact.dynamic_size else "x".join(map(str, artifact.shape[1:]))
    lines.append(f"takes {artifact.dtype} images of {size} in batches of any number; {artifact.computes}")
    return lines
