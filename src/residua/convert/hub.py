"""Weights that other libraries publish, by name: downloaded once to torch's own cache, verified by checksum.

Their table is ``residua.weights.published_files``. The publishers state only the beginning of a SHA-256, in the name of
the file. The whole of it is known for some of them, and written down beside the others when they are first downloaded;
from then on no other file is taken.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import Annotated, Any

from residua.convert.layouts import written
from residua.download import OFFLINE, ProgressLine, Remote, download, offline, web_address
from residua.errors import ResiduaError, UsageError, nearest
from residua.files import write_json
from residua.spec.check import Constraint
from residua.spec.stored import read_stored
from residua.weights.bundled import NAME
from residua.weights.named import cached, named_weights
from residua.weights.published_files import SITES, TABLE, HubFile

_log = logging.getLogger("residua")
MIRROR = "RESIDUA_MIRROR"  # environment: the web address of a folder that holds the files
PINS = "residua-sha256.json"  # beside the files: the SHA-256 of each as it was first downloaded
LARGEST = 1 << 30  # bytes; the largest published file has 0.6 GB
Sha256 = Annotated[
    str, Constraint("the SHA-256 of a file", lambda text: re.fullmatch("[0-9a-f]{64}", text) is not None)
]


def is_published(source: str | Path) -> bool:
    """Whether a source is ``LIBRARY:NAME``, and no file of such a name."""
    return bool(re.match(rf"({'|'.join(written())}):", str(source))) and not Path(source).exists()


def fetch_published(name: str) -> Path:
    """The file of the weights called ``torchvision:resnet50`` or ``torchvision:resnet50@IMAGENET1K_V1``.

    It lies in torch's cache (``$TORCH_HOME/hub/checkpoints``), and is downloaded if it is not there; its checksum is
    verified in any case, the whole of it where it is known or the file was here before.

    Raises UsageError for an unknown name or a mirror that is no web address, ResiduaError if the file cannot be had
    (offline: if it is not here), is not the official one, or not the one of its first download.
    """
    library, found = _find(name)
    mirror = os.environ.get(MIRROR)
    site = web_address(mirror or f"{SITES[library]}/{found.folder}", MIRROR)
    target = cached(found)
    if offline() and not target.exists():
        here = [one.name for one in named_weights() if one.here and one.name.partition(":")[0] != NAME]
        raise ResiduaError(
            f"offline: {name} is not cached ({target}); cached are {', '.join(here) or 'none'}, and {NAME} comes with "
            f"the package; without --offline ({OFFLINE}) it is downloaded"
        )
    pins = target.with_name(PINS)
    pinned = _read_pins(pins).get(found.file)
    noted = pinned and not found.sha256
    official = f"the file of its first download, noted in {pins}" if noted else f"the official {found.file}"
    remote = Remote(
        url=f"{site.rstrip('/')}/{found.file}",
        algorithm="sha256",
        digest=found.sha256 or pinned or found.stated,
        official=official,
        largest=LARGEST,
        elsewhere=f"set {MIRROR} to the web address of a folder that holds it",
    )
    download(remote, target, ProgressLine())
    if not (found.sha256 or pinned):
        _pin(target, pins)
    return target


def _pin(path: Path, pins: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        write_json(pins, _read_pins(pins) | {path.name: digest})
    except ResiduaError as error:  # a folder that others keep, and that this user only reads
        _log.warning("the SHA-256 of %s is not noted: %s", path, error)


def _read_pins(path: Path) -> dict[str, str]:
    """The SHA-256 of each file that was downloaded, as it was at the first time."""
    try:
        return read_stored(path, dict[str, Sha256]) if path.exists() else {}
    except ResiduaError as error:
        raise ResiduaError(f"{error}; remove it to note the SHA-256 of files anew") from error


def published_about(path: Path) -> dict[str, Any]:
    """What the publisher states of a file of his, by its name with the checksum; empty for any other file."""
    for table in TABLE.values():
        for kinds in table.values():
            for one in kinds:
                if one.file == path.name:
                    about = {
                        "weights": one.weights,
                        "dataset": one.dataset,
                        "top1": one.top1,
                        "resize": one.resize,
                    }
                    return {"published": about}
    return {}


def _find(name: str) -> tuple[str, HubFile]:
    library, _, rest = name.partition(":")
    model, at, wanted = rest.partition("@")
    if library not in TABLE:
        raise UsageError(
            f"{library}'s weights have no names here, those of {' and '.join(TABLE)} have: download the file "
            "yourself, and name it"
        )
    table = TABLE[library]
    if model not in table:
        raise UsageError(f"no weights {model!r} of {library} are known here{nearest(model, table)}")
    for one in table[model]:
        if not at or one.weights == wanted:
            return library, one
    kinds = [one.weights for one in table[model]]
    raise UsageError(f"{library}:{model} has no weights {wanted!r}{nearest(wanted, kinds)}")
