"""Find out what network a foreign checkpoint is, out of its keys and shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from residua.analysis.skeleton import skeleton
from residua.convert.layout import Assumption, Layout, Tensors
from residua.convert.layouts import LAYOUTS, libraries
from residua.convert.naming import named
from residua.convert.shards import read_checkpoint
from residua.convert.tensors import Checkpoint, few, short, stated_data
from residua.convert.wrappers import AVERAGES, WRAPPERS, Network, bare, networks
from residua.errors import ResiduaError, UsageError
from residua.registry import spec_from_dict
from residua.spec import ModelSpec
from residua.weights.model_files import Weights, no_larger

_OWN = ("stem.", "stages.", "tail.", "head.")  # what every name in a network of residua's starts with
HEAD = "head.fc."  # our classifier
NO_HEAD = "it has no classifier: the network gives features"
COUNTER = ".num_batches_tracked"  # of batch norms; old torch did not store it, and it changes no output


def read_foreign(path: Path, spec: ModelSpec | None = None, **known: Any) -> Weights:
    """Read another library's checkpoint: residua's tensor names, the spec found, what is known of its images.

    Tensors under residua's own names, as anybody's trainer saves a network of residua's, do not tell of what network
    they are: they are taken for that of ``spec``, whatever their classes. ``known`` are fields of the spec that the
    tensors cannot tell (``stride_on="1x1"``), instead of the library's own habit. ``Weights.data`` gets ``"library"``
    and ``"notes"`` (lines that say what was assumed), and if they are known ``"shape"`` (C, H, W), ``"mean"``,
    ``"std"`` and ``"classes"``.

    Raises ResiduaError, one line, for a file that cannot be read or whose network is not known, UsageError for a
    known field that these tensors tell by themselves.
    """
    checkpoint = read_checkpoint(path)
    failures: list[ResiduaError] = []
    for network in networks(checkpoint.content):
        try:
            tensors = checkpoint.tensors(network.entries)
        except ResiduaError as error:
            failures.append(error)
            continue
        for names in bare(tensors):
            try:
                weights = recognise({name: tensors[full] for full, name in names.items()}, spec, **known)
            except UsageError:
                raise
            except ResiduaError as error:
                failures.append(type(error)(f"{path} {error}"))
            else:
                left_out = [name for name in tensors if name not in names]
                notes = [*weights.notes, *_notes(checkpoint, network, left_out)]
                data = weights.data | stated_data(path) | {"notes": notes}
                return Weights(weights.tensors, weights.spec, data, path)
    if not failures:
        raise ResiduaError(f"{path} {_nothing(checkpoint)}")
    raise next((error for error in failures if not isinstance(error, UnknownNetwork)), failures[0])


def _notes(checkpoint: Checkpoint, network: Network, left_out: list[str]) -> list[str]:
    """What is to be said of where the network was found, and of what was not followed."""
    notes = [f"left out: {few(left_out)}"] if left_out else []
    if set(network.place) & set(AVERAGES):
        notes.append(f"its averaged weights are taken ({'.'.join(network.place)}), as timm does")
    if network.module:
        notes.append(f"tensors of a pickled {short(network.module)}, whose code was not run")
    elif checkpoint.strangers:
        notes.append(f"skipped, for it is no tensor: {few(checkpoint.strangers)}")
    return notes


def _nothing(checkpoint: Checkpoint) -> str:
    others = f"; it holds {few(checkpoint.strangers)}, which is never run" if checkpoint.strangers else ""
    return (
        f"holds no named tensors, as torch.save(model.state_dict(), ...) writes them; looked at the top and under "
        f"{', '.join(WRAPPERS)}{others}"
    )


class UnknownNetwork(ResiduaError):
    """No layout has such names."""


def recognise(tensors: Tensors, spec: ModelSpec | None = None, **known: Any) -> Weights:
    """Residua's network out of another library's tensors, as ``read_foreign`` reads it out of a file."""
    for layout in LAYOUTS:
        weights = read_as(layout, tensors, known)
        if weights is not None:
            return weights
    weights = None if spec is None else _read_own(tensors, spec.change(**known))
    if weights is not None:
        return weights
    if spec is None and all(name.startswith(_OWN) for name in tensors):
        raise ResiduaError(
            "has names as residua's own networks have, and does not say of which: "
            "residua.create_model(NAME, pretrained=FILE) tells it (residua train --model NAME), residua.save_model "
            "writes files that say it"
        )
    looked_for = "; ".join(f"{library} ({', '.join(names)})" for library, names in libraries().items())
    raise UnknownNetwork(f"is of no network known here: looked for {looked_for}; found {few(tensors)}")


def _read_own(tensors: Tensors, spec: ModelSpec) -> Weights | None:
    """The network of ``spec`` under residua's own names; None if there are none of them.

    Shapes are left to those who know for which network the weights are meant. Raises ResiduaError for tensors of a
    network that has other layers.
    """
    wanted = skeleton(spec).state_dict()
    if not wanted.keys() & tensors.keys():
        return None
    for says, one, other in (("has no", wanted, tensors), ("also has", tensors, wanted)):
        odd = [n for n in one if n not in other and not n.startswith(HEAD) and not n.endswith(COUNTER)]
        if odd:
            raise ResiduaError(f"is not of {spec.name}: it {says} {few(odd)}")
    own = {name: one.to(wanted[name].dtype) if name in wanted else one for name, one in tensors.items()}
    for name, one in wanted.items():
        if name.endswith(COUNTER):
            own.setdefault(name, torch.zeros_like(one, device="cpu"))
    headless = f"{HEAD}weight" in wanted and not any(name.startswith(HEAD) for name in own)
    if headless:
        spec = spec.change(num_classes=0)
    elif f"{HEAD}weight" in own and own[f"{HEAD}weight"].ndim:
        spec = spec.change(num_classes=len(own[f"{HEAD}weight"]))
    return Weights(own, spec, {"notes": [NO_HEAD] if headless else []})


def read_as(layout: Layout, tensors: Tensors, known: Mapping[str, Any] | None = None) -> Weights | None:
    """The network that tensors are in ``layout``, or None if they are not in it.

    Raises ResiduaError for tensors that have the names of ``layout`` and do not fit together.
    """
    known = known or {}
    with _explained(layout):
        prepared = layout.prepare(tensors)
    names = None if prepared is None else layout.provisional(prepared)
    if prepared is None or names is None:
        return None
    tensors = prepared
    ours = {own: tensors[theirs] for theirs, own in names.items()}
    headless = not any(own.startswith(HEAD) for own in ours)
    if headless:
        ours[f"{HEAD}weight"] = torch.empty(0)  # for no class: such a network gives features
    with _explained(layout):
        if not layout.mine(ours):
            return None
        fields = layout.infer(ours)
        left_open = {name: one for name, one in layout.assumed.items() if one.open(ours)}
        assumed = {name: one.value for name, one in left_open.items() if one.value is not None}
        spec = spec_from_dict({"family": layout.families[0], **fields, **assumed})
    _check_known(layout, known, left_open)
    spec = named(spec.change(**known) if known else spec, layout)
    own = _fit(layout, spec, tensors)
    notes = [one.note for name, one in left_open.items() if name not in known]
    data = layout.data(spec, [*notes, *([NO_HEAD] if headless else [])])
    if not any(name.endswith(COUNTER) for name in tensors):
        data["counters"] = False  # so that what is converted back has none either
    return Weights(own, spec, data)


def _fit(layout: Layout, spec: ModelSpec, tensors: Tensors) -> dict[str, Tensor]:
    """Every tensor of the network of ``spec``, out of the library's. Raises ResiduaError if one does not fit."""
    with _explained(layout):
        with no_larger(Weights(dict(tensors), spec)):
            wanted = skeleton(spec).state_dict()
        names = layout.foreign(wanted)
    own, wrong = {}, []
    for name, want in wanted.items():
        tensor = tensors.get(names[name])
        if tensor is None and name.endswith(COUNTER):
            tensor = torch.zeros((), dtype=want.dtype)
        if tensor is not None:
            tensor = layout.here(name, tensor, tuple(want.shape))
        if tensor is not None and tensor.shape == want.shape:
            own[name] = tensor.to(want.dtype)
        else:
            wrong.append(f"{names[name]} is {_shape(tensor)}, should be {_shape(want)}")
    theirs = set(names.values())
    wrong += [
        f"{short(name)} is {_shape(tensors[name])}, should be missing"
        for name in tensors
        if name not in theirs
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ResiduaError(f"looks like {layout.library}'s, but its tensors do not fit: {wrong[0]}{more}")
    return own


def _check_known(layout: Layout, known: Mapping[str, Any], left_open: Mapping[str, Assumption]) -> None:
    for name in known:
        if name not in left_open:
            raise UsageError(
                f"{name} cannot be told: the tensors of this {layout.library} network leave open "
                f"{', '.join(left_open) or 'nothing'}"
            )


@contextmanager
def _explained(layout: Layout) -> Iterator[None]:
    """What goes wrong with tensors that have the names of ``layout`` is one line, in the library's names."""
    looks = f"looks like {layout.library}'s, but"
    try:
        yield
    except KeyError as error:
        try:
            missing = layout.foreign([error.args[0]])[error.args[0]]
        except KeyError:
            missing = error.args[0]
        raise ResiduaError(f"{looks} has no {missing}") from error
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ResiduaError(f"{looks} is no {' or '.join(layout.families)}: {error}") from error


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else str(list(tensor.shape))
