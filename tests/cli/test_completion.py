"""Shell completion: the script of each shell, and what bash makes of it."""

import shutil
import subprocess

import pytest

from residua.cli.verbs import VERBS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_script_knows_every_verb(command, shell):
    answer = command("completion", shell)
    assert (answer.code, answer.err) == (0, "")
    assert all(verb in answer.out for verb in VERBS)
    assert "top-k" in answer.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["pred"], ["predict"]),
        (["runs", "--fil"], ["--filter"]),
        (["report", "--lang", "z"], ["zh"]),
    ],
)
def test_bash_completes(command, tmp_path, words, offered):
    script = tmp_path / "residua.bash"
    script.write_text(command("completion", "bash").out)
    typed = " ".join(["residua", *words])
    asked = f"COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _residua; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(
        ["bash", "-c", f"source {script}; {asked}"], capture_output=True, text=True, check=True, timeout=60
    )
    assert [word.strip() for word in done.stdout.splitlines()] == offered


def test_an_unknown_shell_is_refused(command):
    assert "csh" in command("completion", "csh").refused(2)
