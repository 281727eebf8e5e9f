"""``residua data fetch`` as a command; the download itself is tested beside it."""

import pytest


@pytest.mark.parametrize(
    ("tokens", "code", "said"),
    [
        (("cifar11",), 2, "'cifar10'"),
        (("cifar10", "--mirror", "no address"), 2, "no address"),
        (("cifar10", "--mirror", "http://127.0.0.1:9"), 1, "127.0.0.1"),
        (("cifar10", "--mirror", "http://127.0.0.1:9", "--root", "file"), 1, "file"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(command, tmp_path, monkeypatch, tokens, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert said in command("data", "fetch", *tokens).refused(code)
    assert said in command("data", "fetch", *tokens, "--json").json["error"]
