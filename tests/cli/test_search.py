"""``residua train --budget`` on the digits: real trainings, as short as they can be."""

import pytest

SHORT = ("train", "digits", "--epochs", "1", "--limit-batches", "1", "--threads", "1", "-m", "cifar_resnet8")


def test_a_search_leaves_its_runs_a_page_and_the_best_and_goes_on_at_once(tmp_path, command):
    folder = tmp_path / "found"
    asked = (*SHORT, "--budget", "5m", "--run-dir", folder)
    found = command(*asked, "--json").json
    assert (found["best"], found["page"]) == ("cifar_resnet8", str(folder / "search.html"))
    assert found["trials"][0]["latency_ms"] > 0
    assert (folder / "search.html").exists()
    result = folder / "cifar_resnet8" / "result.json"
    made = result.stat().st_mtime_ns
    again = command(*asked)
    assert (again.code, result.stat().st_mtime_ns) == (0, made)
    assert "cifar_resnet8" in again.out
    assert (folder / "latest").resolve() == result.parent.resolve()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "cpu:5ms"], "--budget (and --target with it) goes on by itself"),
        (["--budget", "5m", "--overwrite"], "--budget (and --target with it) goes on by itself"),
        (["--budget", "soon"], "--budget takes a time above zero"),
        (["--budget", "5m", "--target", "tpu:1ms"], "--target takes cpu:5ms or gpu:1ms"),
        (["--budget", "5m", "--weights", "bundled"], "--weights and model.* do not go with it"),
    ],
)
def test_what_does_not_go_together_is_one_line(command, arguments, says):
    assert says in command("train", "digits", *arguments).refused(2)
