"""Help, exit codes, and the one line for whatever goes wrong."""

import importlib
import io
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from residua.cli import main as room
from residua.cli.verbs import VERBS
from residua.download import OFFLINE
from residua.errors import ResiduaError

EVERY_VERB = [*VERBS, "data fetch"]


@pytest.mark.parametrize("verb", EVERY_VERB)
def test_every_verb_has_help_with_examples_of_its_own(command, verb):
    answer = command(*verb.split(), "--help")
    assert (answer.code, answer.err) == (0, "")
    assert f"residua {verb} " in answer.out.split("Examples:")[1] + " "


def test_help_of_the_largest_verb_needs_no_torch():
    code = (
        "import sys\nfrom residua.cli.main import main\n"
        "try: main(['train', '--help'])\nexcept SystemExit: sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
    )


def test_help_tells_every_exit_code(command):
    told = " ".join(command("--help").out.split())
    assert "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (Ctrl-C)." in told


def test_offline_is_for_every_verb(command, monkeypatch):
    monkeypatch.setenv(OFFLINE, "")
    said = command("--offline", "predict", "torchvision:resnet18", "photo.jpg").refused(1)
    assert said.startswith("offline: torchvision:resnet18 is not cached (")
    monkeypatch.setenv(OFFLINE, "")
    said = command("data", "fetch", "cifar10", "--root", "none", "--offline").refused(1)
    assert said.startswith("offline: the official cifar-10-python.tar.gz is not at none")
    assert command("models", "resnet18", "--offline", "--weights").code == 0


WRONG = [
    ("tran", 'Did you mean "train"?'),
    ("--bogus", "--bogus"),
    ("train --epoch 3", "--epochs"),
    ("train --epochs", "--epochs requires an argument"),
    ("train --epochs x", '"x"'),
    ("train --epochs 1.5", '"1.5" is not a whole number'),
    ("train --lr fast", '"fast"'),
    ("train digits photos", "photos"),
    ("evaluate", "requires an argument"),
    ("predict latest", "name at least one image"),
    ("report --lang fr latest", "en"),
    ("data fetch imagenet", "cifar10"),
]


@pytest.mark.parametrize(("tokens", "said"), WRONG, ids=[tokens for tokens, _ in WRONG])
def test_wrong_usage_is_one_line_and_exit_code_2(command, tokens, said):
    assert said in command(*tokens.split()).refused(2)
    answer = command(*tokens.split(), "--json")
    assert answer.code == 2
    assert answer.json.keys() == {"schema", "error"}
    assert answer.err == f"residua: {answer.json['error']}\n"


@pytest.fixture
def failing(command, monkeypatch):
    """Runs ``residua doctor`` with a doctor that raises."""

    def run(error, *arguments):
        def fail(*, json: bool = False):
            raise error

        monkeypatch.setattr("residua.cli.doctor.doctor", fail)
        return command("doctor", *arguments)

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ResiduaError("first\n  second"), 1, "first second"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "not enough memory: "),
        (RuntimeError("x: DefaultCPUAllocator: can't allocate memory: y"), 1, "not enough memory: "),
        (OSError(28, "No space left on device"), 1, "No space left on device (RESIDUA_TRACEBACK"),
        (KeyError("surprise"), 1, "KeyError: 'surprise' (RESIDUA_TRACEBACK"),
    ],
)
def test_whatever_is_raised_is_one_line(failing, error, code, said):
    answer = failing(error)
    assert (answer.code, answer.out, answer.err.count("\n")) == (code, "", 1)
    assert answer.err.startswith(f"residua: {said}")
    assert failing(error, "--json").json["error"].startswith(said)
    assert failing(error, "--json=true").json["schema"] == 1


def test_the_traceback_is_there_for_those_who_ask(failing, monkeypatch):
    monkeypatch.setenv("RESIDUA_TRACEBACK", "1")
    assert "Traceback" in failing(KeyError("surprise")).err


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_streams(monkeypatch, closed):
    monkeypatch.setattr(sys, closed, None)
    for arguments, code in ((["models", "resnet18"], 0), (["models", "resnet1"], 2)):
        with pytest.raises(SystemExit) as caught:
            room.main(arguments)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(28, "No space left on device"), 1, "No space left"),
        (BrokenPipeError(32, "Broken pipe"), 0, ""),  # head has seen enough
    ],
)
def test_a_stdout_that_takes_nothing(monkeypatch, capsys, error, code, said):
    class Stream(io.StringIO):
        def write(self, text):
            raise error

    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(room, "_discard", lambda stream: None)
    with pytest.raises(SystemExit) as caught:
        room.main(["models", "resnet18", "--json"])
    assert caught.value.code == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == code


def test_json_is_json_in_any_encoding(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    name = "ünï 目 😀 \udcff"
    with pytest.raises(SystemExit):
        room.main(["runs", name, "--json"])
    stream.flush()
    error = json.loads(stream.buffer.getvalue())["error"]
    assert repr(name) in error


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread only"
)
def test_ctrl_c_during_an_import_ends_the_command_at_once(tmp_path, monkeypatch, capsys):
    """There an exception would be swallowed by whoever imports, or crash in C++."""
    (tmp_path / "slow_to_import.py").write_text(
        "import os, signal\ntry:\n os.kill(os.getpid(), signal.SIGINT)\n for _ in range(10): pass\n"
        "except KeyboardInterrupt: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def leave(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as caught, room._interruptible(["--json"]):
        importlib.import_module("slow_to_import")
    assert caught.value.code == 130
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "error": "interrupted"}
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), room._interruptible([]):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_ctrl_c_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with room._interruptible([]):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
