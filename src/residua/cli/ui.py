"""``residua ui``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from residua.cli.say import note, say
from residua.errors import UsageError
from residua.machine import usable_cores
from residua.serve.limits import Limits
from residua.serve.needs import need_extra


def ui(
    runs: Path = Path("runs"),
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    analyses: Path = Path("analysis"),
    open: Annotated[bool, Parameter(negative="")] = False,
    allow_host: Annotated[list[str] | None, Parameter(negative="")] = None,
) -> None:
    """Show the runs on a page: live curves, reports, comparisons, papers, and networks that can be asked about images.

    Args:
        runs: the folder of run folders.
        host: the address to listen at; by default only this machine can reach it.
        port: 0 finds a free one.
        analyses: the folder that residua analyze writes to.
        open: open it in the browser.
        allow_host: a name that the page is reached by; all but those of this machine are refused.

    """
    need_extra()
    from residua.serve.app import make_app
    from residua.serve.metrics import Metrics
    from residua.serve.server import address_of, bind, names_of, run
    from residua.serve.ui.routes import add_page
    from residua.serve.ui.run_models import RunModels
    from residua.serve.ui.shelf import Shelf

    if not runs.is_dir() and runs != Path("runs"):
        raise UsageError(f"there is no folder {runs}")
    shelf, limits, metrics = Shelf(runs=runs, analyses=analyses), Limits(), Metrics()
    models = RunModels(shelf, limits=limits, metrics=metrics, threads=usable_cores())
    names = names_of(host, allow_host or [])
    app = make_app(models, limits=limits, metrics=metrics, hosts=names)
    add_page(app, shelf)
    opened = bind(host, port)
    if names is None:
        note("anybody who can reach this machine can see these runs and ask their networks")

    def started() -> None:
        address = address_of(opened)
        say(f"{runs} at {address}")
        if open:
            import webbrowser

            webbrowser.open(address)

    run(app, models, opened, limits, started)
