"""The extra that serving needs, asked for before anything of it is imported."""

from __future__ import annotations

from importlib.util import find_spec

from residua.errors import ResiduaError

MODULES = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}


def need_extra() -> None:
    """Raise ResiduaError with the command that installs what is missing."""
    missing = [package for module, package in MODULES.items() if find_spec(module) is None]
    if missing:
        raise ResiduaError(f'serving needs {", ".join(missing)}: pip install "residua[serve]"')


def need_ray() -> None:
    """The same for what ``--ray`` needs beside it."""
    if find_spec("ray") is None:
        raise ResiduaError('--ray needs ray: pip install "residua[serve]" "ray[serve]"')
