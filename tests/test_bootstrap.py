"""bootstrap.py, with a make-believe pip: what it installs when, what it repairs, and what it says when it cannot."""

from __future__ import annotations

import errno
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

# Notes its arguments and the environment beside the checkout; fails with the text in fail.txt if there is one.
FAKE_PIP = """
import json, os, pathlib, sys
with open("pip.log", "a") as log:
    log.write(json.dumps([sys.argv[1:], {k: os.environ[k] for k in os.environ if "PIP" in k or "PYTHON" in k}]) + "\\n")
fail = pathlib.Path("fail.txt")
if fail.exists():
    sys.exit(fail.read_text())
"""
MAKER = """
import pathlib, subprocess, sys
subprocess.run([sys.executable, "-m", "venv", "--without-pip", sys.argv[2]], check=True)
site = next(pathlib.Path(sys.argv[2]).glob("[Ll]ib/**/site-packages"))
(site / "pip").mkdir()
(site / "pip/__init__.py").write_text("")
(site / "pip/__main__.py").write_text(sys.argv[1])
"""


def load(folder, monkeypatch):
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", folder / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "_makers", lambda: iter([[sys.executable, "-c", MAKER, FAKE_PIP]]))
    return module


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "a folder (with spaces)"
    place.mkdir()
    for name in ("bootstrap.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, place)
    return place


@pytest.fixture
def bootstrap(folder, monkeypatch):
    handler = signal.getsignal(signal.SIGTERM)
    yield load(folder, monkeypatch)
    signal.signal(signal.SIGTERM, handler)


def pip_calls(folder):
    log = folder / "pip.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def job(bootstrap, code, **changes):
    values = {"about": "", "extras": (), "commands": (("python", "-c", code),), **changes}
    return bootstrap.Job(**values)


def test_installs_once_and_again_only_when_something_changed(bootstrap, folder, monkeypatch):
    bootstrap.set_up([])
    bootstrap.set_up([])
    assert len(pip_calls(folder)) == 1
    arguments, environment = pip_calls(folder)[0]
    assert arguments == ["install", "--quiet", "--editable", ".", "-c", "constraints.txt"]
    assert environment["PIP_CONSTRAINT"] == "constraints.txt"
    bootstrap.set_up(["test", "dev"])
    bootstrap.set_up(["test"])  # that is there
    assert [call[0][3] for call in pip_calls(folder)] == [".", ".[dev,test]"]
    bootstrap.set_up(["interop"])  # and does not take away the others
    assert [call[0][3] for call in pip_calls(folder)] == [".", ".[dev,test]", ".[dev,interop,test]"]
    with (folder / "constraints.txt").open("a") as file:
        file.write("# changed\n")
    bootstrap.set_up([])
    assert [call[0][3] for call in pip_calls(folder)][3:] == [".[dev,interop,test]"]


def test_pip_is_not_led_astray(bootstrap, folder, monkeypatch):
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    bootstrap.set_up([])
    environment = pip_calls(folder)[0][1]
    assert environment["PIP_USER"] == "0"
    assert "/elsewhere" not in environment.values()


def remove_python(venv):
    for path in venv.glob("bin/python*"):
        path.unlink()


def remove_pip(venv):
    shutil.rmtree(next(venv.rglob("site-packages/pip")))


def write_stamp(**changes):
    def change(venv):
        stamp = json.loads((venv / "bootstrap.json").read_text())
        (venv / "bootstrap.json").write_text(json.dumps({**stamp, **changes}))

    return change


@pytest.mark.skipif(os.name == "nt", reason="removes files by their POSIX places")
@pytest.mark.parametrize(
    "harm",
    [
        remove_python,
        remove_pip,
        write_stamp(unfinished=True),
        write_stamp(root="/where/it/was"),
        write_stamp(python="cpython-399"),
        write_stamp(extras=["nonsense"]),
        write_stamp(extras=[[]]),
        write_stamp(extras="test"),
        lambda venv: (venv / "bootstrap.json").write_text("{"),
        lambda venv: (venv / "bootstrap.json").write_bytes(b"\xff\xfe"),
        lambda venv: (venv / "bootstrap.json").write_text("[1]"),
    ],
)
def test_a_harmed_environment_is_made_anew(bootstrap, folder, harm):
    bootstrap.set_up(["test"])
    mark = bootstrap.VENV / "of the old one"
    mark.touch()
    harm(bootstrap.VENV)
    bootstrap.set_up([])
    assert not mark.exists()
    assert len(pip_calls(folder)) == 2
    bootstrap.set_up([])
    assert len(pip_calls(folder)) == 2


def test_a_moved_folder_is_set_up_anew(bootstrap, folder, monkeypatch):
    bootstrap.set_up([])
    moved = folder.rename(folder.parent / "moved")
    load(moved, monkeypatch).set_up([])
    assert len(pip_calls(moved)) == 2


def test_the_users_own_environment_is_kept(bootstrap, folder):
    subprocess.run([*next(bootstrap._makers()), str(bootstrap.VENV)], check=True)
    mark = bootstrap.VENV / "mine"
    mark.touch()
    bootstrap.set_up([])
    assert mark.exists() and len(pip_calls(folder)) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_any_stamp_can_be_read(bootstrap, content):
    bootstrap.VENV.mkdir(exist_ok=True)
    bootstrap.STAMP.write_bytes(content)
    assert isinstance(bootstrap._read_stamp(), dict)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk is full",
        ),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...)'",
            "cannot reach the package index",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0", "found no torch==2.13.0 for Python 3"),
        (
            "ERROR: Cannot install hatchling>=1.25 because these package versions have conflicting dependencies.\n"
            "    The user requested (constraint) hatchling==1.33.0\n",
            "found no hatchling==1.33.0",
        ),
        ("ERROR: something {new}", "pip failed:\nERROR: something {new}"),
    ],
)
def test_a_failing_pip_is_explained_and_costs_nothing(bootstrap, folder, capfd, monkeypatch, said, line):
    monkeypatch.setitem(bootstrap.JOBS, "demo", job(bootstrap, "pass"))
    bootstrap.set_up([])
    (folder / "fail.txt").write_text(said)
    with pytest.raises(bootstrap.Stop) as stop:
        bootstrap.set_up(["test"])
    assert line in str(stop.value)
    assert bootstrap.main(["demo"]) == 0  # what worked before still does, without pip
    (folder / "fail.txt").unlink()
    bootstrap.set_up(["test"])
    assert len(pip_calls(folder)) == 3


@pytest.mark.parametrize("earlier", [False, True], ids=["the first", "a later one"])
def test_an_interrupted_installation_is_begun_anew(bootstrap, monkeypatch, earlier):
    def interrupt(extra):
        raise KeyboardInterrupt

    if earlier:
        bootstrap.set_up([])
    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "_install", interrupt)
        assert bootstrap.main(["test"]) == 130
    mark = bootstrap.VENV / "of the old one"
    mark.touch()
    bootstrap.set_up([])
    assert not mark.exists()


def test_one_set_up_at_a_time(bootstrap, folder, capfd):
    with bootstrap._lock():
        second = threading.Thread(target=bootstrap.set_up, args=([],))
        second.start()
        time.sleep(0.3)
        assert not bootstrap.VENV.exists()
    second.join(timeout=60)
    assert bootstrap.STAMP.exists()
    assert "another set-up works in this folder" in capfd.readouterr().err


def makers_without_ensurepip(tmp_path, monkeypatch, *tools):
    module = load(ROOT, monkeypatch)
    monkeypatch.undo()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/tools/{name}" if name in tools else None)
    return [command[0] for command in module._makers()]


def test_uv_and_virtualenv_stand_in_for_a_missing_venv(tmp_path, monkeypatch):
    assert makers_without_ensurepip(tmp_path, monkeypatch, "uv") == ["/tools/uv"]
    assert makers_without_ensurepip(tmp_path, monkeypatch, "virtualenv") == ["/tools/virtualenv"]
    assert makers_without_ensurepip(tmp_path, monkeypatch) == []


def test_without_any_way_to_make_an_environment_the_package_is_named(bootstrap, monkeypatch, capfd):
    monkeypatch.setattr(bootstrap, "_makers", lambda: iter([]))
    assert bootstrap.main(["demo"]) == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"sudo apt install python{version}-venv" in capfd.readouterr().err.splitlines()[-1]


def test_an_old_python_gets_one_line(bootstrap, monkeypatch, capfd):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert bootstrap.main(["demo"]) == 1
    assert capfd.readouterr().err.splitlines() == [
        f"bootstrap: residua needs Python 3.11 or newer; {sys.executable} is 3.9.2"
    ]


def test_a_full_disk_gets_one_line(bootstrap, monkeypatch, capfd):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/x")

    monkeypatch.setattr(Path, "mkdir", full)
    assert bootstrap.main(["demo"]) == 1
    assert capfd.readouterr().err.splitlines()[-1] == "bootstrap: No space left on device: /x"


def test_a_full_disk_that_nobody_names_is_seen(bootstrap, monkeypatch, capfd):
    monkeypatch.setattr(
        bootstrap, "_makers", lambda: iter([[sys.executable, "-c", "raise SystemExit('failed')"]])
    )
    assert bootstrap.main(["demo"]) == 1
    assert "cannot make .venv:\nfailed" in capfd.readouterr().err
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 4096))
    assert bootstrap.main(["demo"]) == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith("bootstrap: the disk is full")


@pytest.mark.parametrize("arguments", [[], ["dmo"], ["check", "-k", "x"]])
def test_wrong_words_get_exit_code_2(bootstrap, capfd, arguments):
    assert bootstrap.main(arguments) == 2
    assert not capfd.readouterr().out


def test_help_goes_to_stdout(bootstrap, capfd):
    assert bootstrap.main(["--help"]) == 0
    shown = capfd.readouterr().out
    assert all(name in shown for name in bootstrap.JOBS)


def test_the_job_gets_the_arguments_and_its_exit_code_is_returned(
    bootstrap, folder, monkeypatch, capfd, tmp_path
):
    code = "import os, sys; print(os.getcwd(), os.environ['OMP_NUM_THREADS'], sys.prefix, *sys.argv[1:]); sys.exit(7)"
    chosen = job(bootstrap, code, environment=(("OMP_NUM_THREADS", "3"),))
    monkeypatch.setitem(bootstrap.JOBS, "test", chosen)
    monkeypatch.chdir(tmp_path)
    assert bootstrap.main(["test", "-k", "name"]) == 7
    assert capfd.readouterr().out.split("\n")[0] == f"{folder} 3 {bootstrap.VENV} -k name"


def test_the_jobs_ask_for_extras_that_there_are(bootstrap):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {extra for job in bootstrap.JOBS.values() for extra in job.extras}
    assert asked == set(bootstrap.EXTRAS) <= set(project["optional-dependencies"])


def test_every_check_runs_even_after_one_failed(bootstrap, folder, monkeypatch):
    commands = tuple(("python", "-c", f"open('ran{i}', 'w'); raise SystemExit({i})") for i in (1, 0))
    monkeypatch.setitem(bootstrap.JOBS, "check", job(bootstrap, "", commands=commands))
    assert bootstrap.main(["check"]) == 1
    assert (folder / "ran1").exists() and (folder / "ran0").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_job_save_its_work(folder, sent, tmp_path):
    """Ctrl-C reaches the whole group, SIGTERM only bootstrap, which hands it on; both wait for the job's own exit."""
    work = """
import os, signal, time
def save(*_):
    time.sleep(0.6)
    os.write(1, b"saved\\n")
    os._exit(5)
signal.signal(signal.SIGINT, save); signal.signal(signal.SIGTERM, save)
os.write(1, b"running\\n")
time.sleep(30)
"""
    start = f"""
import sys; sys.path.insert(0, {str(folder)!r})
import bootstrap, pathlib
bootstrap.BIN = pathlib.Path(sys.executable).parent
sys.exit(bootstrap.run([sys.executable, "-c", {work!r}], bootstrap.JOBS["demo"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", start], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "running\n"
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    assert process.communicate(timeout=20)[0] == "saved\n"
    assert process.returncode == 5


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
@pytest.mark.parametrize("word", ["demo", "test", "interop", "check"])
def test_make_hands_on_to_bootstrap(folder, word):
    shutil.copy(ROOT / "Makefile", folder)
    shown = subprocess.run(
        ["make", "-n", word, f"PYTHON={sys.executable}", "ARGS=-k name"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert f'"{sys.executable}" bootstrap.py {word} -k name' in shown.stdout
    without = subprocess.run(["make", "demo", "PYTHON="], cwd=folder, capture_output=True, text=True)
    assert without.returncode != 0 and "needs Python 3.11 or newer" in without.stderr.splitlines()[0]


def pins():
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    found = [Requirement(line) for line in lines if line]
    return {canonicalize_name(pin.name): pin for pin in found}


def test_constraints_pin_one_exact_version_each():
    assert all(
        str(pin.specifier).startswith("==") and "*" not in str(pin.specifier) for pin in pins().values()
    )


def test_every_dependency_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], project["build-system"]["requires"]]
    groups += project["project"]["optional-dependencies"].values()
    for wanted in (Requirement(line) for group in groups for line in group):
        if wanted.name != "residua":
            pinned = str(pins()[canonicalize_name(wanted.name)].specifier).removeprefix("==")
            assert wanted.specifier.contains(pinned), wanted


def test_what_the_dependencies_need_is_pinned_too():
    """Followed through what is installed here, extras included where they were asked for."""
    open_ends, seen = [Requirement("residua[dev,track,interop]")], set()
    while open_ends:
        wanted = open_ends.pop()
        for extra in ("", *wanted.extras):
            name = canonicalize_name(wanted.name)
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                needs = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue
            needs = [Requirement(line) for line in needs]
            open_ends += [need for need in needs if not need.marker or need.marker.evaluate({"extra": extra})]
    assert {name for name, _ in seen} - set(pins()) == {"residua"}
