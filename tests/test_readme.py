"""What the README says is run, and what it shows is what was measured."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from residua.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh-CN.md")
SERVERS = ("residua serve latest", "residua ui")
# what is tested is the command, not the wait
QUICKLY = ["--threads", "1", "--limit-batches", "2"]


def blocks(name, language):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(name):
    lines = [line.split("#")[0].strip() for block in blocks(name, "sh") for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the images that the tour speaks of."""
    folder = tmp_path_factory.mktemp("tour")
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / "path/to/images" / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "path/to/images" / name / f"{number}.png")
    Image.fromarray(random.integers(0, 256, (300, 200, 3), dtype=np.uint8)).save(folder / "photo.jpg")
    return folder


@pytest.mark.timeout(600)
def test_every_command_of_the_tour_works(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    ours = [line for line in commands("README.md") if line.startswith("residua ") and line not in SERVERS]
    assert len(ours) >= 16
    for line in dict.fromkeys(ours):
        arguments = shlex.split(line)[1:]
        if arguments[0] == "train":
            arguments += QUICKLY if "--epochs" in arguments else [*QUICKLY, "--epochs", "1"]
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        if "openvino" in arguments and find_spec("openvino") is None:
            assert ended.value.code == 1
            assert 'pip install "residua[openvino]"' in said.err
            continue
        assert ended.value.code == 0, f"{line}: {said.err}"
        assert said.out, line


@pytest.mark.timeout(600)
def test_the_service_of_the_readme_answers_its_curl(place, monkeypatch, capsys):
    pytest.importorskip("fastapi", reason="needs the extra serve")
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    serve, asked = SERVERS[0], next(line for line in commands("README.md") if line.startswith("curl "))
    assert serve in commands("README.md")
    monkeypatch.chdir(place)
    with pytest.raises(SystemExit, match="0"):
        main(["train", "path/to/images", *QUICKLY, "--epochs", "1", "--run-dir", "runs/served"])
    capsys.readouterr()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = shlex.split(serve.replace("latest", "runs/served"))[1:]
    server = subprocess.Popen([sys.executable, "-m", "residua", *words, "--port", str(port)])
    try:
        ready = f"http://127.0.0.1:{port}/readyz"
        waiting = ["curl", "-sf", "--retry", "240", "--retry-delay", "1", "--retry-all-errors", ready]
        subprocess.run(waiting, check=True, stdout=subprocess.DEVNULL)
        asking = shlex.split(asked.replace(":8000", f":{port}"))
        answer = json.loads(subprocess.run(asking, check=True, capture_output=True).stdout)
    finally:
        server.terminate()
    assert server.wait(60) == 0
    assert answer["label"] in ("cat", "dog")
    assert 0 < answer["probability"] <= 1


def test_make_knows_the_other_commands():
    others = [line for line in commands("README.md") if not line.startswith(("residua ", "curl "))]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in others:
        assert line == "pip install ." or re.search(
            rf"^.*\b{line.removeprefix('make ')}\b.*:", makefile, re.MULTILINE
        )


@pytest.mark.timeout(600)
def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("README.md", "python")
    exec(compile(example, "README.md", "exec"), {})
    assert "ResNet-18" in capsys.readouterr().out


def test_both_languages_show_the_same_commands():
    assert commands("README.md") == commands("README.zh-CN.md")
    assert [re.sub(r"#.*", "", b) for b in blocks("README.md", "python")] == [
        re.sub(r"#.*", "", b) for b in blocks("README.zh-CN.md", "python")
    ]


@pytest.mark.parametrize("name", READMES)
def test_links_and_pictures_exist(name):
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("name", READMES)
def test_the_table_is_that_of_the_evidence(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.readme import LANGUAGES, filled

    assert filled(ROOT / name, LANGUAGES[name]) == (ROOT / name).read_text(encoding="utf-8")
