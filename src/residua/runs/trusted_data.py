"""The data of a run, opened only if they are shipped or lie at a path that the user has named here."""

from __future__ import annotations

from pathlib import Path

from residua.data.named_paths import is_named
from residua.errors import UsageError
from residua.names import command
from residua.runs.folder import RunFolder
from residua.spec import DataSpec


def trusted_data(folder: RunFolder) -> DataSpec:
    """Where the images of a run came from, for reading them again.

    Raises UsageError if that is a path that this user has never named: a folder made elsewhere may point anywhere.
    """
    spec = folder.data_spec
    path = spec.source.url or spec.source.place
    if path is None or is_named(path) or (isinstance(path, Path) and not path.exists()):
        return spec
    raise UsageError(
        f"{folder.name} was trained on {path}, a path that you have not named on this machine; if you mean it, name "
        f"it once: {command('residua', 'evaluate', folder.path, str(spec.source))}, or "
        f"{command('residua', 'train', str(spec.source), '--resume', folder.path)}"
    )
