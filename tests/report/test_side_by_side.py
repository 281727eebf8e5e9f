import pytest

from residua.report import diagnose_runs, read_run, render_report

PLAIN = {"model": "cifar_plain56", "train_accuracy": 0.80, "val_accuracy": 0.75, "test_accuracy": 0.77}


def test_a_degraded_run_is_found_in_the_folders(make_run):
    runs = [read_run(make_run("res")), read_run(make_run("plain", **PLAIN))]
    for pair in (runs, runs[::-1]):
        found = diagnose_runs(pair)
        assert found.kind == "degraded" and found.sentence.startswith("plain is degraded")


def test_a_run_that_was_trained_differently_is_pointed_out(make_run):
    good, short = read_run(make_run("res")), read_run(make_run("short", epochs=5, **PLAIN))
    found = diagnose_runs([good, short])
    assert found.kind == "degraded" and "not trained alike (recipe.epochs)" in found.sentence
    alike = diagnose_runs([good, read_run(make_run("plain", recipe={"name": "other"}, **PLAIN))])
    assert "alike" not in alike.sentence


def test_the_worst_of_several_is_set_against_the_best(make_run):
    runs = [read_run(make_run(f"r{i}", test_accuracy=0.9 + 0.02 * i)) for i in (1, 0, 3, 2)]
    sentence = diagnose_runs(runs).sentence
    assert "r0" in sentence and "r3" in sentence


def test_unfinished_runs_are_diagnosed_by_validation(make_run):
    runs = [read_run(make_run("res")), read_run(make_run("plain", complete=False, **PLAIN))]
    assert "validation error" in diagnose_runs(runs).sentence


@pytest.mark.parametrize("change", [{"epochs": 0}, {"complete": False, "val_accuracy": None}])
def test_without_figures_there_is_no_diagnosis(make_run, tmp_path, change):
    runs = [make_run("a"), make_run("b", **change)]
    assert diagnose_runs([read_run(run) for run in runs]) is None
    assert "No diagnosis" in render_report(runs).read_text()


def test_one_run_has_no_diagnosis(make_run):
    assert diagnose_runs([read_run(make_run())]) is None


def test_the_page_compares_and_shows_only_what_differs(make_run, make_inspection):
    inspected = make_inspection(["a", "b"])
    runs = [
        make_run("res", inspected=inspected),
        make_run(
            "plain",
            recipe={"lr": 0.05},
            inspected=inspected | {"gradient": inspected["gradient"][:3]},
            **PLAIN,
        ),
    ]
    text = render_report(runs).read_text()
    assert "plain is degraded" in text
    for key in ("diagnosis", "side_by_side", "curves", "schedule", "depth", "differences", "repeat"):
        assert f'id="{key}"' in text
    differences = text[text.index('id="differences"') : text.index('id="repeat"')]
    assert "recipe.lr" in differences and "spec.name" in differences
    assert "recipe.batch_size" not in differences and "plan." not in differences
    assert text.count("residua train") == 2


def test_equal_runs_have_no_differences(make_run):
    assert "are the same in every run" in render_report([make_run("a"), make_run("b")]).read_text()


def test_where_data_differ_nothing_is_diagnosed(make_run, restate):
    """Of these two one would be degraded; on different data that says nothing."""
    runs = [make_run("a", train_accuracy=0.6, val_accuracy=0.5, test_accuracy=0.5), make_run("b")]
    text = render_report(runs).read_text()
    assert "Not comparable" not in text and "a is degraded" in text
    restate(runs[1], "data", fingerprint="other")
    text = render_report(runs, overwrite=True).read_text()
    assert "Not comparable" in text and "degraded" not in text and "No clear difference" not in text
    assert diagnose_runs([*map(read_run, runs)]) is None


def test_a_seed_that_differs_is_said(make_run, restate):
    text = render_report([make_run("a"), restate(make_run("b"), "env", seed=7)]).read_text()
    assert '<th scope="row">seed</th><td>0</td><td>7</td>' in text
    assert "are the same in every run" not in text


def test_runs_of_one_name_are_told_apart(make_run, tmp_path):
    runs = [make_run("run", parent=tmp_path / "a"), make_run("run", parent=tmp_path / "b")]
    text = render_report(runs, out=tmp_path / "x.html").read_text()
    assert str(runs[0]) in text and str(runs[1]) in text


def test_eight_runs_fit_on_a_page(make_run, tmp_path):
    runs = [make_run(f"run{i}", test_accuracy=0.9 + i / 100, epochs=3) for i in range(8)]
    assert render_report(runs).stat().st_size < 500_000
