import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import ResiduaError, UsageError
from residua.runs.record import read_run


def bare(path):
    """A run of which nothing is known."""
    tables = dict.fromkeys(("spec", "recipe", "plan"), "{}")
    tables["data"] = '{"kind": "", "storage": "", "classes": [], "spec": {}}'
    tables["env"] = '{"seed": 0, "sessions": []}'
    for name, content in tables.items():
        (path / f"{name}.json").write_text(content)


def test_a_run_is_read_as_columns(make_run):
    run = read_run(make_run(epochs=4, val_accuracy=None))
    assert run.epochs["epoch"] == [0, 1, 2, 3]
    assert len(run.steps["step"]) == 44 and run.steps["lr"][0] == pytest.approx(0.1)
    assert all(map(math.isnan, run.epochs["val_loss"])) and run.last("val_accuracy") is None
    assert run.last("train_accuracy") == run.epochs["train_accuracy"][-1]
    assert (run.model, run.dataset, run.images("test"), len(run.classes)) == (
        "cifar_resnet20",
        "digits",
        360,
        10,
    )
    assert not run.cut


def test_a_run_without_a_result_is_read_from_what_is_there(make_run, restate):
    path = restate(make_run(complete=False), "data", counts=None)
    (path / "metrics.jsonl").unlink()
    run = read_run(path)
    assert run.result is None and run.get("test_accuracy") is None
    assert run.epochs["epoch"] == [] and run.last("val_accuracy") is None and run.images("test") is None
    assert run.model == "cifar_resnet20"


def test_of_limited_batches_nobody_knows_how_many_images_they_held(make_run, restate):
    path = restate(make_run(), "env", limit_batches=2)
    assert read_run(path).images("test") is None


def test_a_folder_of_images_gives_its_name(make_run, restate):
    path = restate(make_run(), "data", kind="folder", path="/home/me/flowers")
    assert read_run(path).dataset == "flowers"


def test_a_link_is_called_by_the_run_it_names(make_run, tmp_path):
    (tmp_path / "latest").symlink_to(make_run("real"))
    assert read_run(tmp_path / "latest").name == "real"


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_is_no_run_folder_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=f"{name} is no run folder"):
        read_run(tmp_path / name)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{oops", "line 7 is damaged: it is not valid JSON"),
        ("\\xff\\x00", "line 7 is damaged"),
        ("[1]", "line 7 is damaged: it must be a table of keys and values"),
        ("{}", "line 7 is damaged: it lacks 'event'"),
        ('{"event": "step", "lr": 0.1}', "line 7 is damaged: it lacks 'step'"),
        (
            '{"event": "epoch", "epoch": 1, "train_accuracy": 7}',
            r"line 7 is damaged: train_accuracy must be a number in \[0, 1\]",
        ),
        (
            '{"event": "step", "step": 1, "loss": "low"}',
            "line 7 is damaged: loss must be a number, not 'low'",
        ),
        ('{"event": "step", "step": ' + "9" * 5000 + "}", "line 7"),
        ("[" * 100_000, "line 7 is damaged"),
    ],
)
def test_a_damaged_line_is_named(make_run, line, said):
    path = make_run(epochs=2) / "metrics.jsonl"
    lines = path.read_text().split("\n")
    lines[6] = line
    path.write_text("\n".join(lines))
    with pytest.raises(ResiduaError, match=f"metrics.jsonl {said}") as caught:
        read_run(path.parent)
    assert "\n" not in str(caught.value)


def test_a_line_of_another_event_is_left_alone(make_run):
    path = make_run(epochs=2)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"event": "note", "text": "hello"}\n')
    assert len(read_run(path).epochs["epoch"]) == 2


def test_a_diverged_run_is_read(make_run):
    path = make_run(epochs=1)
    with (path / "metrics.jsonl").open("a") as file:
        file.write(
            '{"event": "epoch", "epoch": 1, "train_loss": NaN, "train_accuracy": 0.1, "val_loss": null}\n'
        )
        file.write('{"event": "epoch", "epoch": 2, "train_loss": 1e999, "train_accuracy": 0.1}\n')
    assert read_run(path).epochs["train_loss"][1:] == pytest.approx([math.nan, math.inf], nan_ok=True)


@given(st.data())
def test_metrics_cut_at_any_byte_are_read_up_to_there(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        bare(path)
        lines = [b'{"event": "step", "step": %d, "lr": 0.1, "loss": 2.5}\n' % i for i in range(5)]
        content = b"".join(lines)
        cut = data.draw(st.integers(0, len(content)))
        (path / "metrics.jsonl").write_bytes(content[:cut])
        run = read_run(path)
        whole = content[:cut].count(b"}")
        assert len(run.steps["step"]) == whole
        assert run.cut == (cut % len(lines[0]) not in (0, len(lines[0]) - 1))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(metrics, result):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        bare(path)
        (path / "metrics.jsonl").write_bytes(metrics)
        (path / "result.json").write_bytes(result)
        with pytest.raises(ResiduaError) as caught:
            read_run(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["spec", "recipe", "plan", "data", "env", "result", "inspection"])
@pytest.mark.parametrize("content", ["[]", "{", '"x"', ""])
def test_a_damaged_file_is_named(make_run, name, content):
    path = make_run(epochs=1)
    (path / f"{name}.json").write_text(content)
    with pytest.raises(ResiduaError, match=f"{name}.json"):
        read_run(path)
