"""The machine: limits of containers are seen, hostile /proc files do no harm, nothing personal is told."""

from __future__ import annotations

import getpass
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua import machine as room
from residua.machine import limits, processor

V2 = {
    "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
    "proc/self/cgroup": "0::/user/job\n",
}
V1 = {
    "proc/self/mounts": "cgroup /cg/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
    "cgroup /cg/memory cgroup rw,memory 0 0\n",
    "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n",
}
MEMORY = {"proc/meminfo": "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    800 kB\n"}
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def lay(tmp_path):
    """Write files of a make-believe machine; its root."""

    def write(*files: dict[str, str]) -> Path:
        for name, text in {name: text for part in files for name, text in part.items()}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_importing_it_imports_no_torch():
    code = "import sys, residua.machine, residua.timing, residua.cli.doctor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_description_is_json_and_tells_nothing_personal():
    text = json.dumps(room.describe_machine(), allow_nan=False)
    found = json.loads(text)
    assert found["versions"]["torch"] and found["python"] == platform.python_version()
    assert 1 <= found["usable_cores"] <= (os.cpu_count() or 1)
    names = {platform.node(), str(Path.home()), str(Path.cwd())} - {"", "localhost"}
    assert not [name for name in names if name in text]
    assert f'"{getpass.getuser()}"' not in text


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, CORES),
        ({**V2, "sys/fs/cgroup/user/job/cpu.max": "100000 100000"}, 1),
        ({**V2, "sys/fs/cgroup/user/cpu.max": "100000 100000"}, 1),  # a group above this one
        (
            {**V2, "sys/fs/cgroup/user/job/cpu.max": "10000 100000"},
            1,
        ),  # a tenth of a core is still one thread
        ({**V2, "sys/fs/cgroup/user/job/cpu.max": "max 100000"}, CORES),
        ({**V2, "sys/fs/cgroup/user/job/cpu.max": "100000"}, CORES),
        ({**V2, "sys/fs/cgroup/user/job/cpu.max": "100000 0"}, CORES),
        (
            {**V1, "cg/cpu,cpuacct/cpu.cfs_quota_us": "150000", "cg/cpu,cpuacct/cpu.cfs_period_us": "100000"},
            1,
        ),
        (
            {**V1, "cg/cpu,cpuacct/docker/x/cpu.cfs_quota_us": "-1", "cg/cpu,cpuacct/cpu.cfs_period_us": "1"},
            CORES,
        ),
        ({**V2, "proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "100000 100000"}, 1),
        (
            {**V2, "proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "max 1", "sys/cpu.max": "1 1"},
            CORES,
        ),
    ],
)
def test_usable_cores_obey_the_quota(lay, files, cores):
    assert room.usable_cores(lay(files)) == cores


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({}, (1000, 800)),
        (
            {**V2, "sys/fs/cgroup/user/job/memory.max": "max", "sys/fs/cgroup/user/job/memory.current": "1"},
            (1000, 800),
        ),
        (
            {
                **V2,
                "sys/fs/cgroup/user/memory.max": str(500 * 1024),
                "sys/fs/cgroup/user/memory.current": str(400 * 1024),
                "sys/fs/cgroup/user/memory.stat": f"anon 1\ninactive_file {100 * 1024}\n",
            },
            (500, 200),
        ),
        (
            {
                **V1,
                "cg/memory/docker/x/memory.limit_in_bytes": str(300 * 1024),
                "cg/memory/docker/x/memory.usage_in_bytes": str(400 * 1024),
                "cg/memory/memory.limit_in_bytes": "9223372036854771712",
                "cg/memory/memory.usage_in_bytes": "5",
            },
            (300, 0),
        ),
    ],
)
def test_memory_obeys_the_limit(lay, files, memory):
    assert limits.memory(lay(MEMORY, files)) == tuple(1024 * size for size in memory)


def test_processor_is_read_from_cpuinfo(lay):
    block = "model name\t: A B(R) C\nphysical id\t: 0\ncore id\t\t: {}\nflags\t\t: fpu avx2 amx_bf16 x\n\n"
    root = lay({"proc/cpuinfo": "".join(block.format(i // 2) for i in range(4))})
    assert processor.cpu_name(root) == "A B(R) C"
    assert processor.instructions(root) == ("avx2", "amx_bf16")
    assert processor.physical_cores(root) == 2


def test_elsewhere_torch_knows_the_instructions(lay):
    assert processor.instructions(lay({})) == tuple(
        n for n in processor.instructions() if n in processor._instructions_of_torch()
    )


@given(
    st.dictionaries(
        st.sampled_from(["proc/self/mounts", "proc/self/cgroup", "proc/cpuinfo", "proc/meminfo"]), st.binary()
    )
)
def test_hostile_proc_files_do_no_harm(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("root")
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    assert room.usable_cores(root) == CORES
    limits.memory(root), processor.cpu_name(root), processor.physical_cores(root)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 0", None),
        ("echo 'probe.cpp:2: fatal error: Python.h: No such file' >&2; exit 1", "python3-dev"),
        ("echo 'fatal error: omp.h: No such file' >&2; exit 1", "OpenMP"),
        ("exit 1", "cannot compile"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the make-believe compiler is a shell script")
def test_a_compiler_that_cannot_do_the_job_is_told_apart(tmp_path, monkeypatch, script, problem):
    fake = tmp_path / "fake-c++"
    fake.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "fake 1.0"; exit 0; }}\n{script}\n')
    fake.chmod(0o755)
    monkeypatch.setenv("CXX", str(fake))
    found = room.compiler.__wrapped__()
    assert (found.name, found.version) == ("fake-c++", "fake 1.0")
    assert found.problem is None if problem is None else problem in found.problem


def test_no_compiler_is_no_error(monkeypatch, tmp_path):
    for name in ("no-such-compiler-here", str(tmp_path)):
        monkeypatch.setenv("CXX", name)
        assert room.compiler.__wrapped__().problem


def test_the_compiler_is_tried_once_per_process():
    assert room.compiler() is room.compiler()


def test_extras_come_from_the_package_itself():
    assert set(room.extras()) >= {"track", "compat", "test"}
    assert room.extras()["test"]["pytest"] == pytest.__version__
    assert room.machine().extras["test"] is True
