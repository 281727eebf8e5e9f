"""The ``residua`` command: verbs, exit codes, and one line for whatever goes wrong. Verbs are imported when used."""

from __future__ import annotations

import codecs
import errno
import importlib
import io
import json
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from cyclopts import App, Parameter, convert
from cyclopts.exceptions import CycloptsError

from residua import __version__
from residua.cli.say import one_line, reason
from residua.cli.verbs import DATA_VERBS, TOUR, VERBS, Verb
from residua.errors import ResiduaError, UsageError
from residua.names import shown

_WITH, _OFFLINE = "--with", "--offline"
_NO_NETWORK = "RESIDUA_OFFLINE"  # which residua.download reads: it takes long to import
_WITH_HELP = (
    "Every verb takes `--with FILE`: a Python file of your own; the parts that it registers are known then; and "
    f"`{_OFFLINE}`: nothing is downloaded (as {_NO_NETWORK}=1)."
)
_INTERRUPTED = ("interrupted", 128 + signal.SIGINT)


def make_app(tokens: Sequence[str] = ()) -> App:
    """The command-line application, for a command of these tokens."""
    app = App(
        name="residua",
        help="The residual-learning workbench: build, train, check and look inside residual networks.",
        help_epilogue=_examples(TOUR) + "\n\n`residua VERB --help` shows every option of a verb. "
        f"{_WITH_HELP} Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C).",
        help_format="markdown",
        version=__version__,
        default_parameter=Parameter(negative="", converter=_value),
        suppress_keyboard_interrupt=False,  # main says it
    )
    data = App(name="data", help="Look at data, and fetch data sets.", help_epilogue="")
    app.command(data)
    verbs = [
        (parent, *item) for parent, table in ((data, DATA_VERBS), (app, VERBS)) for item in table.items()
    ]
    for parent, name, verb in verbs:
        path = f"residua.cli.{verb.function}"  # imported when the verb is used
        about = "\n\n".join([verb.about, *_listed(verb, wanted=name in tokens)])
        parent.command(
            path, name=name, help=about, help_epilogue=f"{_examples(verb.examples)}\n\n{_WITH_HELP}"
        )
    return app


def _without_offline(tokens: Sequence[str]) -> list[str]:
    """The tokens without ``--offline``, which holds for this process and those that it starts."""
    end = tokens.index("--") if "--" in tokens else len(tokens)
    if _OFFLINE in tokens[:end]:
        os.environ[_NO_NETWORK] = "1"
    return [token for place, token in enumerate(tokens) if token != _OFFLINE or place > end]


def _run_user_files(tokens: Sequence[str]) -> list[str]:
    """Run the files that ``--with`` names, in order, and return the other tokens. Raises UsageError without a file."""
    rest: list[str] = []
    paths: list[str] = []
    left = iter(tokens)
    for token in left:
        if token == "--":
            rest += [token, *left]
        elif token == _WITH or token.startswith(f"{_WITH}="):
            path = next(left, "") if token == _WITH else token.partition("=")[2]
            if not path or path.startswith("-"):
                raise UsageError(f"{_WITH} takes the name of a Python file, such as my_block.py")
            paths.append(path)
        else:
            rest.append(token)
    if paths:
        from residua.user_files import UserFile

        files = list(dict.fromkeys(map(UserFile.read, paths)))
        if len({file.name for file in files}) < len(files):
            raise UsageError(f"two files have one name: {', '.join(paths)}")
        for file in files:
            file.run()
    return rest


def _listed(verb: Verb, *, wanted: bool) -> list[str]:
    """What a verb can be asked, where its own help is: a list of parts, which packages and files may add to."""
    if not verb.listing or not wanted:
        return []
    module, name = verb.listing.split(":")
    return [getattr(importlib.import_module(f"residua.{module}"), name)()]


def _examples(commands: Sequence[str]) -> str:
    return "\n".join(["Examples:", "", "```sh", *commands, "```"])


def _value(hint: Any, tokens: Sequence[Any]) -> Any:
    """A flag's value; cyclopts would round 1.5 where a whole number is wanted."""
    if hint is int and "." in tokens[0].value:
        raise ValueError(f'"{tokens[0].value}" is not a whole number')
    return convert(hint, tokens)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    # Threads that wait by spinning for long take the cores from whatever else runs: on a busy machine a training is
    # then several times slower (benchmarks/results/busy.md). Read by OpenMP when torch is first imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    _prepare_streams()
    warnings.filterwarnings("ignore", module="PIL")  # each bad image gets a line of residua's own
    try:
        with _interruptible(tokens), _logged():
            rest = _run_user_files(_without_offline(tokens))
            result = make_app(rest)(
                rest, exit_on_error=False, print_error=False, result_action="return_value"
            )
        sys.stdout.flush()
        code = result if isinstance(result, int) and not isinstance(result, bool) else 0
    except CycloptsError as error:
        code = _fail(_one_line(error), UsageError.exit_code, tokens)
    except ResiduaError as error:
        code = _fail(str(error), error.exit_code, tokens)
    except KeyboardInterrupt:
        code = _fail(*_INTERRUPTED, tokens)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        _discard(sys.stdout)
        code = 0
    except Exception as error:  # a fault of the machine, or of residua itself: one line all the same
        too_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
        code = _fail(reason(error), (UsageError if too_long else ResiduaError).exit_code, tokens)
    sys.exit(code)


@contextmanager
def _interruptible(tokens: Sequence[str]) -> Iterator[None]:
    """Let Ctrl-C end the command also while torch is imported, where an exception may be swallowed, or crash."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield  # somebody else decides: a shell that started this in the background, a program around it
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                os._exit(_fail(*_INTERRUPTED, tokens))
            frame = frame.f_back
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Log(logging.Handler):
    """What the package logs (skipped files), as the command prints names; once, however often the files are read."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self._said:
            return
        self._said.add(message)
        with suppress(OSError):  # nobody reads: no reason to end what is under way
            print(shown(message), file=sys.stderr)


@contextmanager
def _logged() -> Iterator[None]:
    handler = _Log(logging.WARNING)
    logging.getLogger("residua").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("residua").removeHandler(handler)


def _prepare_streams() -> None:
    """Standard streams that take any text: closed ones lead nowhere, and a name that cannot be encoded is escaped."""
    codecs.register_error("residua.escape", _escape)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="residua.escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What a stream's encoding lacks, as JSON writes it."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _discard(stream: Any) -> None:
    """What is still to be written to ``stream`` goes nowhere: nobody reads it, or the disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(message: str, code: int, tokens: Sequence[str]) -> int:
    """Say on stderr what is wrong; with --json also as an object on stdout."""
    message = one_line(message)
    answer = shown(json.dumps({"schema": 1, "error": message}, ensure_ascii=False)) + "\n"
    wanted = any(token.split("=")[0] == "--json" for token in tokens)
    for stream, text in (
        (sys.stdout, answer if wanted else ""),
        (sys.stderr, f"residua: {shown(message)}\n"),
    ):
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # one of them is gone or full: the other one and the exit code still tell
            _discard(stream)
    if os.environ.get("RESIDUA_TRACEBACK"):
        traceback.print_exc()
    return code


def _one_line(error: CycloptsError) -> str:
    text: Any = str(error)
    return " ".join(text.split()) + " (see --help)"
