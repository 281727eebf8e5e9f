import json
import os
import shutil
from pathlib import Path

import pytest

from residua.errors import ResiduaError, UsageError
from residua.files import InUse
from residua.registry import model_spec
from residua.runs import folder as runs
from residua.spec import DataSpec
from residua.train.recipes import recipe

FILES = {
    "spec.json": model_spec("cifar_resnet8", in_channels=1).to_dict(),
    "recipe.json": recipe("quick").to_dict(),
    "plan.json": {},
    "data.json": {"spec": {"source": "digits"}, "kind": "digits", "storage": "memory", "classes": []},
    "env.json": {"seed": 4, "limit_batches": None, "sessions": []},
}


def make(path, **options):
    with runs.writing(path):
        return runs.create(path, FILES, lambda folder: (folder / "checkpoints" / "x").touch(), **options)


def test_a_folder_reads_back_what_was_written(tmp_path):
    folder = make(tmp_path / "a")
    assert folder.spec == model_spec("cifar_resnet8", in_channels=1)
    assert folder.recipe == recipe("quick")
    assert folder.seed == 4
    assert folder.data_spec == DataSpec()
    assert folder.result is None
    assert folder.metrics() == []
    assert (folder.path / "checkpoints" / "x").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]  # nothing temporary is left


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def fail(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(ResiduaError, match="No space left"), runs.writing(tmp_path / "a"):
        runs.create(tmp_path / "a", FILES, fail)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_without_being_asked(tmp_path):
    folder = make(tmp_path / "a")
    with pytest.raises(UsageError, match="unfinished run: residua train --resume"):
        make(tmp_path / "a")
    (folder.path / "result.json").write_text("{}")
    with pytest.raises(UsageError, match="finished run: --overwrite"):
        make(tmp_path / "a")
    assert make(tmp_path / "a", overwrite=True).result is None


def test_foreign_folders_are_never_overwritten(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(UsageError, match="not a run folder"):
        make(tmp_path / "photos", overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_a_path_may_go_through_a_folder_that_is_not_there_yet(tmp_path):
    assert make(tmp_path / "new" / ".." / "a").seed == 4
    (tmp_path / "link").symlink_to(tmp_path / "far" / "b")
    assert make(tmp_path / "link").seed == 4
    assert runs.resolve_run(tmp_path / "far" / "b").is_dir()


def test_an_empty_folder_may_become_a_run(tmp_path):
    (tmp_path / "a").mkdir()
    assert make(tmp_path / "a").seed == 4


def test_the_folder_in_which_one_works_is_not_replaced(tmp_path, monkeypatch):
    """Relative paths would lead into the folder that was moved aside."""
    (tmp_path / "empty").mkdir()
    run = make(tmp_path / "a").path
    for here, given in (("empty", "."), ("a", "."), ("a/checkpoints", ".."), ("a", tmp_path / "a")):
        monkeypatch.chdir(tmp_path / here)
        inode = Path(given).stat().st_ino
        with pytest.raises(UsageError, match="you work in it"):
            make(Path(given), overwrite=True)
        assert Path(given).stat().st_ino == inode
    monkeypatch.chdir(run)
    make(Path("../b"))


def test_one_writer_holds_a_folder_from_its_creation_on(tmp_path):
    with runs.writing(tmp_path / "a"):
        for overwrite in (False, True):
            with pytest.raises(InUse, match=f"a is in use by process {os.getpid()} on "):
                make(tmp_path / "a", overwrite=overwrite)
            with pytest.raises(InUse):
                runs.refuse_existing(tmp_path / "a", overwrite=overwrite)
    make(tmp_path / "a")


def test_a_run_is_kept_until_the_one_that_replaces_it_is_complete(tmp_path):
    path = tmp_path / "a"
    make(path)
    (path / "result.json").write_text("{}")
    for mark in ("second", "third"):  # both are given up
        make(path, overwrite=True)
        (path / mark).touch()
    assert (runs.replaced(path) / "result.json").exists()
    assert names(tmp_path) == [".a.residua-old", "a"]
    with runs.writing(path):
        assert names(path) == sorted(["checkpoints", *FILES, "third"])
        (path / "result.json").write_text("{}")
    assert names(tmp_path) == ["a"]
    assert runs.replaced(path) is None


@pytest.mark.parametrize("aside", [".a.residua-old", ".a.residua-gone"])
def test_a_run_that_a_killed_writer_moved_aside_is_put_back_by_whoever_asks_for_it(tmp_path, aside):
    def begin():
        with pytest.raises(UsageError, match="unfinished run"):
            runs.refuse_existing(tmp_path / "a", overwrite=False)

    for ask in (lambda: runs.resolve_run(tmp_path / "a"), lambda: runs.list_runs(tmp_path)[0], begin):
        make(tmp_path / "a").path.rename(tmp_path / aside)
        ask()
        assert names(tmp_path) == ["a"]
        shutil.rmtree(tmp_path / "a")


def test_what_is_no_longer_needed_is_never_put_back_in_half(tmp_path, monkeypatch):
    path = tmp_path / "a"
    make(path)
    make(path, overwrite=True)
    (path / "result.json").write_text("{}")
    monkeypatch.setattr(runs, "clear", lambda place: None)  # killed before anything of it is removed
    with runs.writing(path):
        pass
    shutil.rmtree(path)
    with pytest.raises(UsageError, match="no run"):
        runs.resolve_run(path)


def test_a_run_is_one_place_by_a_link_too(tmp_path):
    make(tmp_path / "a")
    (tmp_path / "b").symlink_to("a")
    with runs.writing(tmp_path / "b"), pytest.raises(InUse), runs.writing(tmp_path / "a"):
        pass
    make(tmp_path / "b", overwrite=True)
    assert (tmp_path / "b").is_symlink()
    assert runs.replaced(tmp_path / "a") == tmp_path / ".a.residua-old"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_latest_and_names_resolve(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        make(tmp_path / "runs" / name)
        runs.point_latest(tmp_path / "runs" / name)
    assert runs.resolve_run("latest").name == "b"
    assert runs.resolve_run("runs/latest").name == "b"
    assert runs.resolve_run("a") == runs.RUNS / "a"
    assert [folder.name for folder in runs.list_runs()] == ["a", "b"]
    with pytest.raises(UsageError, match="no run 'c'"):
        runs.resolve_run("c")
    (tmp_path / "runs" / "latest").unlink()
    (tmp_path / "runs" / "latest").write_text("a\n")  # where symbolic links are not to be had
    assert runs.resolve_run("latest").name == "a"


def test_metrics_tolerate_a_cut_last_line_and_name_a_damaged_one(tmp_path):
    folder = make(tmp_path / "a")
    line = json.dumps({"event": "epoch", "epoch": 0})
    (folder.path / "metrics.jsonl").write_text(f'{line}\n{{"event": "ste')
    assert folder.metrics("epoch") == [{"event": "epoch", "epoch": 0}]
    (folder.path / "metrics.jsonl").write_text(f"{line}\nnonsense\n{line}\n")
    with pytest.raises(ResiduaError, match="line 2"):
        folder.metrics()


def test_what_is_no_run_folder_is_said(tmp_path):
    with pytest.raises(ResiduaError, match=r"not a run folder: it has no spec\.json"):
        runs.RunFolder(tmp_path)


def test_new_names_are_free(tmp_path):
    first = runs.new_path("digits", "net", 0, tmp_path)
    first.mkdir()
    second = runs.new_path("digits", "net", 0, tmp_path)
    assert not second.exists()
