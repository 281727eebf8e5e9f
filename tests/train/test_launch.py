"""The launch of several processes, with small ones that need no torch."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from residua.errors import ResiduaError, UsageError
from residua.train.launch import GO_ON, MEETING, Launch, asked_for, processes_here, tell_launch

BEGIN = """
import os, pathlib, signal, sys, time
rank, meeting = int(os.environ["RANK"]), pathlib.Path(os.environ["RESIDUA_MEETING"])
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("residua.train.launch._GRACE", 0.5)


def launch(code, count=2):
    return Launch([sys.executable, "-c", BEGIN + code], count)


def start(code):
    """A launch in a process, and a process group, of its own."""
    command = f"[sys.executable, '-c', {BEGIN + code!r}]"
    program = f"import sys; from residua.train.launch import Launch; sys.exit(Launch({command}, 2).run())"
    return subprocess.Popen([sys.executable, "-c", program], start_new_session=True)


def test_each_process_is_told_who_it_is(tmp_path):
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    code = f"pathlib.Path({str(tmp_path)!r}, str(rank)).write_text(' '.join(os.environ[n] for n in {names}))"
    assert launch(code, 3).run() == 0
    assert [(tmp_path / str(rank)).read_text() for rank in range(3)] == ["0 0 3 3", "1 1 3 3", "2 2 3 3"]


def test_a_process_that_fails_ends_the_others_and_its_line_is_said_once():
    began = time.monotonic()
    code = "rank and sys.exit(print('note\\nresidua: no such file', file=sys.stderr) or 2); time.sleep(60)"
    with pytest.raises(ResiduaError, match=r"^process 1 of 2: no such file$") as found:
        launch(code).run()
    assert found.value.exit_code == 2
    assert time.monotonic() - began < 20


def test_the_first_process_has_said_its_own_line(capfd):
    code = "sys.exit(75) if rank else sys.exit(print('residua: mine', file=sys.stderr) or 1)"
    assert launch(code).run() == 1  # one that lost another is not to blame
    assert capfd.readouterr().err == "residua: mine\n"


def test_after_a_kill_all_start_again_where_the_run_was(capfd, tmp_path):
    code = f"""
if "{GO_ON}" not in os.environ:
    rank or meeting.with_name("run").write_text({str(tmp_path / "the run")!r})
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL) if rank else time.sleep(60)
pathlib.Path({str(tmp_path)!r}, f"again{{rank}}").write_text(os.environ["{GO_ON}"] + meeting.name)
"""
    assert launch(code).run() == 0
    assert [(tmp_path / f"again{rank}").read_text() for rank in (0, 1)] == [f"{tmp_path}/the runmeeting1"] * 2
    assert capfd.readouterr().err == "process 1 of 2 was ended (SIGKILL): all start again\n"


def test_a_process_that_is_killed_every_time_is_given_up():
    with pytest.raises(ResiduaError, match=r"process 1 of 2 was ended \(SIGKILL\), 4 times: given up"):
        launch("os.kill(os.getpid(), signal.SIGKILL) if rank else sys.exit(75)").run()


def test_a_request_to_stop_reaches_the_first_process_once_and_nothing_starts_again(tmp_path):
    code = f"""
def note(number, frame):
    pathlib.Path({str(tmp_path)!r}, f"stopped{{rank}}").open("a").write("x")
    time.sleep(0.2)
    sys.exit(128 + number)
signal.signal(signal.SIGINT, note)
pathlib.Path({str(tmp_path)!r}, f"ready{{rank}}").touch()
while rank and not pathlib.Path({str(tmp_path)!r}, "stopped0").exists():
    time.sleep(0.01)
sys.exit(75) if rank else time.sleep(60)
"""
    running = start(code)
    while len(list(tmp_path.glob("ready*"))) < 2:
        assert running.poll() is None
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    assert running.wait(20) == 130
    assert (tmp_path / "stopped0").read_text() == "x"
    assert not (tmp_path / "stopped1").exists()


def test_processes_end_when_their_launch_is_killed(tmp_path):
    code = f"""
from residua.train.launch import end_with_launch
def note(number, frame):
    pathlib.Path({str(tmp_path)!r}, f"ended{{rank}}").touch()
    os._exit(1)
signal.signal(signal.SIGTERM, note)
end_with_launch()
pathlib.Path({str(tmp_path)!r}, f"ready{{rank}}").touch()
time.sleep(60)
"""
    running = start(code)
    while len(list(tmp_path.glob("ready*"))) < 2:
        assert running.poll() is None
        time.sleep(0.02)
    running.kill()
    running.wait()
    end = time.monotonic() + 20
    while len(list(tmp_path.glob("ended*"))) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("count", [0, 1, -3, 5000])
def test_a_count_that_makes_no_sense_is_refused(count):
    with pytest.raises(UsageError, match="--processes must be from 2 to 1024"):
        Launch(["true"], count)


def test_the_environment_of_torchrun_is_understood():
    torchrun = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node0"}
    assert asked_for(torchrun) == (3, 4)
    assert processes_here(torchrun) == 2
    for alone in ({}, {**torchrun, "WORLD_SIZE": "1"}, {"WORLD_SIZE": "4"}, {"RANK": "0", "WORLD_SIZE": "4"}):
        assert asked_for(alone) is None
        assert processes_here(alone) == 1


@pytest.mark.parametrize("wrong", [{"RANK": "4"}, {"RANK": "-1"}, {"RANK": "x"}, {"WORLD_SIZE": "four"}])
def test_an_environment_that_says_nonsense_is_refused(wrong):
    with pytest.raises(UsageError):
        asked_for({"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "node0", **wrong})


def test_the_run_is_told_to_the_launch_alone(tmp_path, monkeypatch):
    monkeypatch.delenv(MEETING, raising=False)
    tell_launch(tmp_path)
    monkeypatch.setenv(MEETING, str(tmp_path / "meeting0"))
    tell_launch(tmp_path / "a run")
    assert (tmp_path / "run").read_text() == str(tmp_path / "a run")


def test_no_torch_is_imported_to_start_processes():
    code = "import sys, residua.train.launch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_launch_in_a_thread_leaves_the_signals_alone():
    found = []
    thread = threading.Thread(target=lambda: found.append(launch("pass").run()))
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert found == [0]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_process_of_a_launch_ends_quietly():
    code = "from residua.train.launch import end_with_launch; end_with_launch()"
    assert launch(code).run() == 0
