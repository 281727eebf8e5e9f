"""``residua convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from residua.cli.say import say, say_json
from residua.errors import UsageError


def convert(
    source: str,
    out: Path,
    /,
    *,
    to: str,
    stride_on: Literal["1x1", "3x3"] | None = None,
    shortcut: str | None = None,
    heads: int | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write a network's weights for another library, or another library's for residua: the same outputs.

    Args:
        source: a run folder, its name under runs/, latest, a weight file, a peer's checkpoint (of several files: its
            .index.json), or torchvision:NAME.
        out: the file to write; .safetensors, or .pth for a plain state dict.
        to: residua, torchvision, timm, akamaster, chenyaofo or kuangliu.
        stride_on: of a checkpoint with bottlenecks; 1x1 is the paper's v1, 3x3 (taken without this flag) is v1.5.
        shortcut: of a checkpoint whose shortcuts have no tensors: A-split (akamaster's, the default) or A.
        heads: of a checkpoint of a ViT; one for 64 channels is taken without this flag.
        overwrite: replace a file that stands at OUT.
        json: print one JSON object.

    """
    from residua.analysis.skeleton import skeleton
    from residua.convert.write import write_weights
    from residua.loading import load_weights

    out = out if out.suffix else out.with_suffix(".safetensors")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; --overwrite replaces it")
    known = {"stride_on": stride_on, "shortcut": shortcut, "heads": heads}
    weights = load_weights(source, **{key: value for key, value in known.items() if value is not None})
    write_weights(out, weights, to)
    notes = list(weights.notes)
    result: dict[str, Any] = {
        "schema": 1,
        "from": weights.data.get("library", "residua"),
        "to": to,
        "path": str(out),
        "spec": weights.spec.to_dict(),
        "tensors": len(weights.tensors),
        "parameters": sum(parameter.numel() for parameter in skeleton(weights.spec).parameters()),
        "notes": notes,
    }
    if json:
        say_json(result)
        return
    say(*(f"note: {note}" for note in notes), f"{weights.spec.name}, {result['from']} to {to}: {out}")
