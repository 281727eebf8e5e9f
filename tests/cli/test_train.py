"""``residua train`` from one end to the other, and everything that it refuses."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from residua.cli.say import say_in
from residua.errors import ResiduaError
from residua.files import locked
from residua.weights.model_files import read_weights

QUICK = ("--epochs", "1", "--limit-batches", "1", "--threads", "1")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    return tmp_path


@pytest.fixture
def no_report(monkeypatch):
    monkeypatch.setattr("residua.cli.train.reported", lambda folder, data: None)


def test_json_is_the_result_and_where_it_lies(command, here):
    answer = command("train", *QUICK, "--run-dir", "R", "--json")
    assert answer.code == 0
    assert {
        "schema",
        "test_accuracy",
        "seconds",
        "run_dir",
        "report",
        "parameters",
        "epochs",
    } <= answer.json.keys()
    assert answer.json["run_dir"] == "R"
    assert (here / answer.json["report"]).is_file()
    stored = json.loads((here / "R" / "result.json").read_text())
    assert {key: answer.json[key] for key in stored} == stored
    assert "epoch 1" in answer.err  # progress


def test_what_became_of_it_is_said_first_and_kept(command, here):
    """Photos of noise in two classes: there is nothing to learn, and that is the first thing said."""
    random = np.random.default_rng(0)
    for number in range(120):
        folder = here / "my photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")
    answer = command(
        "train", "my photos", "-m", "cifar_resnet8", "--epochs", "2", "-b", "16", "--run-dir", "R"
    )
    first, second = answer.out.splitlines()[:2]
    assert answer.code == 0  # it is said, not failed
    assert first.startswith(("Not learned: ", "Collapsed: ")), answer.out
    assert "residua " in second and str(here) not in second
    kept = json.loads((here / "R" / "inspection.json").read_text())["outcome"]
    assert first == kept["sentence"]
    again = command("train", "--resume", "R", "--json").json["outcome"]
    assert {key: again[key] for key in kept if key != "advice"} == {
        k: v for k, v in kept.items() if k != "advice"
    }
    assert second == f"{again['advice']} {again['next']}"
    assert kept["status"] in (here / "R" / "report.html").read_text().lower()


def test_the_outcome_is_in_colour_on_a_terminal_alone(monkeypatch, capsys):
    say_in("yellow", "Not learned: [b]x[/b]\x1b[2J")
    assert capsys.readouterr().out == "Not learned: [b]x[/b]\\u001b[2J\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    say_in("yellow", "Not learned: [b]x[/b]\x1b[2J")
    assert capsys.readouterr().out == "\x1b[33mNot learned: [b]x[/b]\\u001b[2J\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    say_in("yellow", "Not learned")
    assert capsys.readouterr().out == "Not learned\n"


def test_without_a_name_the_run_is_new_and_the_latest(command, here, no_report):
    for seed in (0, 1):
        answer = command("train", *QUICK, "--seed", seed)
        folder = here / "runs" / "latest"
        assert json.loads((folder / "env.json").read_text())["seed"] == seed
        assert str(folder.resolve().relative_to(here)) in answer.out
        assert "residua evaluate" in answer.out
    assert len(list((here / "runs").glob("2*"))) == 2


def test_what_users_of_other_trainers_type(command, here, no_report):
    assert command("train", *QUICK, "--run-dir", "a", "-b", "32", "-j", "1", "-m", "cifar_resnet8").code == 0
    assert json.loads((here / "a" / "recipe.json").read_text())["batch_size"] == 32
    assert json.loads((here / "a" / "plan.json").read_text())["workers"] == 1
    assert command("train", *QUICK, "--run-dir", "b", "--pretrained", "a").code == 0


def test_a_configuration_and_what_overrides_it(command, here, no_report):
    (here / "c.toml").write_text(
        '[model]\nname = "own"\nfamily = "resnet"\nstem = "cifar"\ndepths = [1]\nwidths = [8]\n'
        '[recipe]\nepochs = 9\nbatch_size = 16\n[run]\nseed = 4\nlimit_batches = 1\nthreads = 1\nrun_dir = "x"\n'
    )
    answer = command(
        "train", "--config", "c.toml", "--epochs", "2", "--set", "recipe.epochs=1", "--json"
    ).json
    assert (answer["model"], answer["epochs"], answer["seed"], answer["run_dir"]) == ("own", 1, 4, "x")


REFUSED = [
    (("--model", "resnt18"), "'resnet18'"),
    (("--model", ""), "unknown model ''"),
    (("--model", "cifar_resnet21"), "21"),
    (("--recipe", "quik"), "'quick'"),
    (("--epochs", "0"), "epochs"),
    (("--epochs", str(10**30)), "below 2**63"),
    (("--batch-size", "-1"), "batch_size"),
    (("--lr", "nan"), "finite"),
    (("--lr", "0"), "lr"),
    (("--seed", "-1"), "seed"),
    (("--seed", str(2**63)), "2**63"),
    (("--device", "abacus"), "--device must be"),
    (("--device", "cpu:1"), "--device must be"),
    (("--device", "cuda:99"), "CUDA devices"),
    (("--precision", "fp8"), "--precision must be"),
    (("--threads", "0"), "--threads must be"),
    (("--threads", str(10**12)), "--threads must be"),
    (("--workers", "-1"), "workers"),
    (("--compile", "maybe"), "--compile must be"),
    (("--memory", "small"), "--memory must be"),
    (("--set", "recipe.accumulate=0"), "accumulate"),
    (("--batch-size", "many"), "batch-size"),
    (("--val-fraction", "1"), "val_fraction"),
    (("--limit-batches", "0"), "limit_batches"),
    (("--weights", "none.pth"), "none.pth"),
    (("--config", "none.toml"), "none.toml"),
    (("--config", "photos"), "directory"),
    (("--set", "lr=1"), "TABLE.KEY=VALUE"),
    (("--set", "recipe.l=1"), "'lr'"),
    (("--set", "model.shortct=C"), "'shortcut'"),
    (("--set", "data.image_size=x"), "image_size"),
    (("--set", "run.sed=1"), "'seed'"),
    (("--set", "modle.x=1"), "'model'"),
    (("nowhere",), "nowhere"),
    (("cifar:x",), "'cifar10'"),
    (("--run-dir", "photos"), "not a run folder"),
    (("--run-dir", "photos", "--overwrite"), "not a run folder"),
    (("--run-dir", "photos/cat.jpg"), "not a run folder"),
    (("--retune",), "--resume"),
    (("--resume", "photos", "--tune"), "--retune"),
    (("--set", "run.tf32=true", "--device", "cpu"), "GPU"),
    (("--set", "run.cuda_graphs=true", "--device", "cpu"), "GPU"),
    (("--resume", "nowhere"), "no run 'nowhere'"),
    (("--resume", "photos"), "not a run folder"),
    (("--resume", "photos", "--overwrite"), "--overwrite"),
]


@pytest.mark.parametrize(("flags", "said"), REFUSED, ids=[" ".join(flags)[:40] for flags, _ in REFUSED])
def test_what_cannot_be_is_one_line_and_leaves_nothing(command, here, flags, said):
    assert said in command("train", *flags).refused(2)
    assert sorted(path.name for path in here.rglob("*")) == ["cat.jpg", "photos"]


CONFIGS = [
    ("[modle]\n", "'model'"),
    ("model = 3\n", "c.toml: model must be a table"),
    ("[model\n", "line 1"),
    ("\xff", "not valid TOML"),
    ('[recipe]\nepochs = "3"\n', "epochs must be a whole number"),
    ("[recipe]\nbatch_sise = 3\n", "'batch_size'"),
    ("[recipe]\nname = 3\n", "Recipe"),
    ("[recipe]\nmilestones = [0.5, 0.2]\n", "milestones"),
    ("[data]\nsource = [1]\n", "source"),
    ("[run]\nseed = 1.5\n", "seed must be a whole number"),
    ("[run]\nlimit_batches = true\n", "limit_batches"),
    ("[run]\nthreads = 'two'\n", "threads"),
    ("[run]\nweights = 3\n", "weights must be text"),
    ("[run]\nsead = 3\n", "'seed'"),
    ("[model]\nfamily = 'alexnet'\n", "alexnet"),
    ("[model]\nnum_classes = 3\n", "num_classes"),
]


@pytest.mark.parametrize(("text", "said"), CONFIGS, ids=[repr(text)[:30] for text, _ in CONFIGS])
def test_a_wrong_configuration_is_one_line(command, here, text, said):
    (here / "c.toml").write_text(text, encoding="latin-1")
    assert said in command("train", "--config", "c.toml").refused(2)
    assert not (here / "runs").exists()


CONTRADICTIONS = [
    ("--model", "cifar_resnet20"),
    ("--recipe", "quick"),
    ("--batch-size", "32"),
    ("--lr", "0.5"),
    ("--seed", "3"),
    ("--device", "cuda"),
    ("--precision", "float16"),
    ("--threads", "2"),
    ("--workers", "77"),
    ("--compile", "on"),
    ("--val-fraction", "0.5"),
    ("--limit-batches", "3"),
    ("--weights", "first"),
    ("--set", "model.shortcut=C"),
    ("--set", "recipe.momentum=0.5"),
    ("--set", "data.split_seed=3"),
    ("--strict",),
]


@pytest.mark.parametrize("flags", CONTRADICTIONS, ids=" ".join)
def test_a_resumed_run_keeps_its_settings(command, unfinished, flags):
    said = command("train", "--resume", "first", *flags).refused(2)
    assert "contradicts first" in said
    assert not (unfinished / "result.json").exists()


def test_resume_with_the_flags_of_the_run_itself(command, unfinished, trained, no_report):
    flags = (
        "--device",
        "auto",
        "--compile",
        "auto",
        "--threads",
        "1",
        "--epochs",
        "2",
        "--limit-batches",
        "2",
    )
    assert command("train", "digits", "--resume", "latest", *flags).refused(2)  # there is no latest here
    assert command("train", "digits", "--resume", "first", *flags).code == 0
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (unfinished / name).read_bytes() == (trained / name).read_bytes()


def test_other_images_are_refused(command, unfinished):
    assert "not what first was trained on" in command("train", "digits:fold=1", "--resume", "first").refused(
        1
    )
    assert "no such file" in command("train", "nowhere", "--resume", "first").refused(2)
    assert not (unfinished / "result.json").exists()


def test_a_finished_run_is_safe(command, run, no_report):
    weights = (run / "model.safetensors").read_bytes()
    assert "finished run: --overwrite" in command("train", *QUICK, "--run-dir", run).refused(2)
    for epochs in ("1", "0", "-3"):
        assert "only extend" in command("train", "--resume", run, "--epochs", epochs).refused(2)
    assert (run / "model.safetensors").read_bytes() == weights
    assert command("train", "--resume", run, "--epochs", "3", "--json").json["epochs"] == 3
    assert (run / "model.safetensors").read_bytes() != weights


def test_an_extension_that_is_cut_off_is_the_checkpoint_not_the_old_weights(run):
    from residua.train import RunFolder

    assert RunFolder(run).weights == run / "model.safetensors"
    (run / "result.json").unlink()
    assert RunFolder(run).weights == run / "checkpoints" / "last.safetensors"


def test_two_commands_never_train_into_one_folder(command, unfinished):
    with locked(unfinished):
        assert "in use" in command("train", "--resume", "first").refused(1)
        assert "in use" in command("train", "--run-dir", unfinished, "--overwrite").refused(1)
    assert "unfinished run: residua train --resume" in command("train", "--run-dir", unfinished).refused(2)


def test_fine_tuning_says_what_it_adapted(command, run, no_report):
    answer = command("train", *QUICK, "--weights", "first", "--set", "data.split_seed=1", "--run-dir", "x")
    assert "tensors loaded" in answer.err
    assert (
        read_weights(run.parents[1] / "x" / "model.safetensors").spec
        == read_weights(run / "model.safetensors").spec
    )
    assert "depths" in command("train", "--weights", "first", "--model", "cifar_resnet20").refused(2)


@pytest.mark.parametrize("error", [ResiduaError("no pictures today"), RuntimeError("no pictures today")])
def test_a_report_that_fails_does_not_fail_the_training(command, here, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("residua.report.render_report", fail)
    answer = command("train", *QUICK, "--run-dir", "a run", "--json")
    assert (answer.code, answer.json["report"]) == (0, None)
    said = answer.err.splitlines()[-1]
    assert said.startswith("residua: the training is complete, but there is no report: ")
    assert "no pictures today" in said
    assert said.endswith("residua report 'a run' tries again")
    assert (here / "a run" / "result.json").exists()


def test_a_loss_that_explodes_says_what_to_do(command, here, no_report):
    flags = ("--limit-batches", "3", "--threads", "1", "--run-dir", "R")
    assert "smaller --lr" in command("train", *flags, "--lr", "1e30", "--epochs", "1").refused(1)
    assert command("train", "--resume", "R").refused(1)  # the checkpoint is not the broken network
    shutil.rmtree("R")
    answer = command(
        "train", *flags, "--lr", "1e3", "--epochs", "2", "--json"
    )  # finite, but not in validation
    assert answer.code == 0, answer.err
    assert None in (answer.json["val_loss"], answer.json["test_loss"])


@pytest.mark.parametrize("asked", [("--memory", "low"), ("--set", "recipe.recompute=true")])
def test_little_memory_is_of_the_plan_and_changes_no_bit(command, here, no_report, asked):
    for name, flags in (("full", ()), ("low", asked)):
        assert command("train", *QUICK, *flags, "--run-dir", name).code == 0
    plan = json.loads((here / "low" / "plan.json").read_text())
    assert plan["memory"] == "low"
    full, low = ((here / name / "model.safetensors").read_bytes() for name in ("full", "low"))
    assert full == low
    again = command("train", *QUICK, *asked, "--run-dir", "low", "--resume-if-exists")
    assert again.code == 0, again.err


def test_drop_path_of_whole_batches(command, here, no_report):
    """A unit that is skipped in the first step has no gradient then."""
    flags = (
        "--set",
        "model.drop_path=0.9",
        "--set",
        "model.drop_path_mode=batch",
        "--model",
        "cifar_resnet20",
    )
    answer = command(
        "train", *flags, "--epochs", "1", "--limit-batches", "4", "--threads", "1", "--run-dir", "R"
    )
    assert answer.code == 0, answer.err


def test_progress_that_nobody_takes_ends_no_training(command, here, no_report, monkeypatch):
    import io

    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stderr", Gone())
    assert command("train", *QUICK, "--run-dir", "R", "--json").json["run_dir"] == "R"


def test_a_pickle_is_refused_and_not_run(command, here):
    class Evil:
        def __reduce__(self):
            return (open, (str(here / "run"), "w"))

    for name, options in (("a.pth", {}), ("b.th", {"_use_new_zipfile_serialization": False})):
        torch.save({"state_dict": Evil()}, here / name, **options)
        for tokens in (
            ("train", "--weights", name),
            ("evaluate", name, "digits"),
            ("predict", name, "photos"),
        ):
            assert "which is never run" in command(*tokens).refused(1)
    assert not (here / "run").exists()


def test_trackers_are_named_by_a_flag(command, here, no_report):
    assert "unknown tracker 'mlfow'; did you mean 'mlflow'" in command(
        "train", *QUICK, "--track", "mlfow"
    ).refused(2)
    assert not list(here.glob("runs/*"))
    assert command("train", *QUICK, "--track", "none", "--run-dir", "run").code == 0
    assert not (here / "run" / "tensorboard").exists()
