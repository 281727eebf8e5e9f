"""What `residua serve` and `residua ui` say before anything is served."""

import socket

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["first", "--max-batch", 0], "--max-batch must be at least 1, not 0"),
        (["first", "--max-delay-ms", -1], "--max-delay-ms must be at least 0, not -1"),
        (["first", "--max-delay-ms", "nan"], "--max-delay-ms must be at least 0, not nan"),
        (["first", "--timeout", "inf"], "--timeout must be at least 0.001, not inf"),
        (["first", "--workers", 0], "--workers must be at least 1, not 0"),
        (["first", "--port", 99999], "--port is a number from 0 to 65535, not 99999"),
        (["first", "--host", "no.such.host.invalid"], "it is no address of this machine"),
        (["first", "--token-file", "missing"], "cannot read the token in missing"),
        (["nothing"], "there is no run 'nothing'"),
        (["first", "first"], "two models are called 'first'"),
        (["first", "--layout", "tritn"], "did you mean 'triton'?"),
        (["first", "--layout", "triton"], "is no artifact"),
    ],
)
def test_wrong_words_are_one_line(run, command, arguments, said):
    assert said in command("serve", *arguments).refused(2)


@pytest.mark.parametrize("verb", [["serve", "first"], ["ui"]])
def test_a_port_that_is_taken_is_one_line(run, command, verb):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = command(*verb, "--port", port).refused(2)
    assert (
        said == f"cannot serve at 127.0.0.1:{port}: another program does already: --port 0 finds a free one"
    )


def test_a_missing_extra_is_one_line(run, command, monkeypatch):
    from residua.serve import needs

    monkeypatch.setattr(needs, "find_spec", lambda module: None)
    for verb in (["serve", "first"], ["ui"]):
        assert 'pip install "residua[serve]"' in command(*verb).refused(1)


def test_a_page_of_no_runs_folder_is_refused(run, command):
    assert "there is no folder nowhere" in command("ui", "nowhere").refused(2)
