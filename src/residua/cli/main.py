"""The ``residua`` command: verbs, exit codes, and one line for whatever goes wrong. Verbs are imported when used."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from residua import __version__
from residua.cli.verbs import FETCH, TOUR, VERBS
from residua.errors import ResiduaError, UsageError


def make_app() -> App:
    """The command-line application."""
    app = App(
        name="residua",
        help="The residual-learning workbench: build, train, check and look inside residual networks.",
        help_epilogue=_examples(TOUR) + "\n\n`residua VERB --help` shows every option of a verb. "
        "Exit codes: 0 done, 1 failed, 2 wrong usage.",
        help_format="markdown",
        version=__version__,
    )
    data = App(name="data", help="Fetch data sets.", help_epilogue="")
    app.command(data)
    for parent, name, verb in [(data, "fetch", FETCH), *((app, name, verb) for name, verb in VERBS.items())]:
        path = f"residua.cli.{verb.function}"  # imported when the verb is used
        parent.command(path, name=name, help=verb.about, help_epilogue=_examples(verb.examples))
    return app


def _examples(commands: Sequence[str]) -> str:
    return "\n".join(["Examples:", "", "```sh", *commands, "```"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = make_app()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        code = result if isinstance(result, int) and not isinstance(result, bool) else 0
    except CycloptsError as error:
        code = _fail(_one_line(error), UsageError.exit_code, tokens)
    except ResiduaError as error:
        code = _fail(str(error), error.exit_code, tokens)
    except KeyboardInterrupt:
        code = _fail("interrupted", 128 + signal.SIGINT, tokens)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (MemoryError, RuntimeError, OSError) as error:
        code = _fail(_unexpected(error), ResiduaError.exit_code, tokens)
    sys.exit(code)


def _fail(message: str, code: int, tokens: Sequence[str]) -> int:
    """Say on stderr what is wrong; with --json also as an object on stdout."""
    if "--json" in tokens:
        print(json.dumps({"schema": 1, "error": message}, ensure_ascii=False))
    print(f"residua: {message}", file=sys.stderr)
    if os.environ.get("RESIDUA_TRACEBACK"):
        traceback.print_exc()
    return code


def _unexpected(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "not enough memory" in text or "out of memory" in text:
        return "not enough memory: a smaller --batch-size or a smaller network needs less"
    return f"{type(error).__name__}: {text[:300]} (RESIDUA_TRACEBACK=1 shows where)"


def _one_line(error: CycloptsError) -> str:
    text: Any = str(error)
    return " ".join(text.split()) + " (see --help)"
