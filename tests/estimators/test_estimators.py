"""The estimators at work: tables, images, paths, scikit-learn's own tools around them, and what they refuse."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra sklearn is not installed")

import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from residua import ResidualClassifier, ResidualRegressor
from residua.data.sources.digits import FILE
from residua.errors import ResiduaError, UsageError
from residua.estimators.base import ResidualEstimator
from residua.loading import load_run
from residua.models.residual_mlp import ResidualMLPSpec

TINY = {"model": "residual_mlp_tiny", "epochs": 20, "learning_rate": 5e-3, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    """A few digits, uint8 (N, 8, 8), and their labels as words."""
    with np.load(FILE) as file:
        images, labels = file["images"][:200], file["labels"][:200]
    return (images * 15).astype(np.uint8), np.array([f"digit {label}" for label in labels])


@pytest.fixture(scope="module")
def fitted(iris):
    return ResidualClassifier(**TINY).fit(*iris)


def test_a_table_is_learned_and_all_of_it_follows_from_the_random_state(iris, fitted):
    x, y = iris
    assert fitted.score(x, y) > 0.9
    shares = fitted.predict_proba(x)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_array_equal(fitted.classes_[shares.argmax(1)], fitted.predict(x))
    before = torch.get_rng_state()
    again = ResidualClassifier(**TINY).fit(x, y)
    np.testing.assert_array_equal(again.predict_proba(x), shares)
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's draws are touched
    other = ResidualClassifier(**{**TINY, "random_state": 1}).fit(x, y)
    assert not np.array_equal(other.predict_proba(x), shares)


def test_rows_are_standardised_by_the_training_rows_in_full_precision(iris):
    x, y = iris
    moved = x * [1, 1e-6, 1e6, 1] + [0, 0, 1e9, 1e7]  # float32 would lose the last column
    one, other = (ResidualClassifier(**TINY).fit(each, y) for each in (x, moved))
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(moved), atol=1e-3)
    np.testing.assert_allclose(other.about_["mean"], moved.mean(0))


def test_no_file_stays_unless_it_is_asked_for(iris, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ResidualClassifier(**TINY).fit(*iris)
    assert not list(tmp_path.iterdir())
    for _ in range(2):  # a second fit replaces the first
        kept = ResidualClassifier(**TINY, run_dir=tmp_path / "run").fit(*iris)
    run = load_run(tmp_path / "run")
    assert run.result["epochs"] == kept.n_iter_ == len(kept.history_) == 20
    assert run.data["kind"] == "arrays"


def test_a_foreign_folder_is_not_replaced(iris, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not a run folder"):
        ResidualClassifier(**TINY, run_dir=tmp_path).fit(*iris)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_one_or_several_numbers_are_predicted():
    x = np.random.default_rng(0).normal(size=(200, 3))
    y = np.stack([100 + 10 * x[:, 0], -x[:, 1]], 1)
    both = ResidualRegressor(**TINY).fit(x, y)
    assert both.predict(x).shape == (200, 2)
    assert both.score(x, y) > 0.8
    one = ResidualRegressor(**TINY).fit(x, y[:, 0])
    assert one.predict(x).shape == (200,)
    assert one.score(x, y[:, 0]) > 0.8


def test_early_stopping_holds_samples_out_and_keeps_the_best_weights(iris, tmp_path):
    settings = {**TINY, "epochs": 200, "early_stopping": True, "n_iter_no_change": 3, "learning_rate": 0.05}
    early = ResidualClassifier(**settings, run_dir=tmp_path / "run").fit(*iris)
    assert early.n_iter_ < 200
    assert all("val_loss" in line for line in early.history_)
    run = load_run(tmp_path / "run")
    assert run.result["stopped"]["by"] == "patience"
    assert run.data["counts"] == {"train": 135, "val": 15, "test": 0}
    accuracies = [line["val_accuracy"] for line in early.history_]
    assert max(accuracies[-3:]) <= max(accuracies[:-3])
    bare = ResidualClassifier(**TINY).fit(*iris)
    assert not any("val_loss" in line for line in bare.history_)


def test_images_are_learned(digits):
    x, y = digits
    net = ResidualClassifier(epochs=8, batch_size=32, random_state=0).fit(x, y)
    assert net.score(x, y) > 0.8
    assert set(net.classes_) == set(y)
    np.testing.assert_array_equal(net.predict(x[..., None]), net.predict(x))  # a channel more is the same
    assert type(net.network_.spec).__name__ == "ResNetSpec"
    numbers = ResidualRegressor(epochs=2, batch_size=32, random_state=0).fit(x, x.mean((1, 2)))
    assert numbers.predict(x[:5]).shape == (5,)


@pytest.mark.parametrize("how", ["list", "array", "column", "frame"])
def test_paths_are_learned_however_they_come(digits, tmp_path, how):
    from PIL import Image

    images, y = digits[0][:40], digits[1][:40]
    paths = [tmp_path / f"{i}.png" for i in range(40)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    texts = [str(path) for path in paths]
    if how == "frame":
        pandas = pytest.importorskip("pandas")
        x = pandas.DataFrame({"file": texts})
    else:
        x = {"list": paths, "array": np.array(texts), "column": np.array(texts)[:, None]}[how]
    net = ResidualClassifier(epochs=1, batch_size=16, image_size=16, random_state=0).fit(x, y)
    assert net.kind_ == "paths"
    assert net.about_["shape"] == [3, 16, 16]
    assert net.predict(x[:3] if how != "frame" else x.iloc[:3]).shape == (3,)
    with pytest.raises(ResiduaError, match=r"lost.png"):
        net.predict([tmp_path / "lost.png"])


def test_it_works_inside_scikit_learns_own_tools(iris):
    x, y = iris
    pipeline = make_pipeline(StandardScaler(), ResidualClassifier(**TINY))
    assert cross_val_score(pipeline, x, y, cv=3).mean() > 0.85
    specs = [ResidualMLPSpec(layers=layers, width=16) for layers in (1, 2)]
    search = GridSearchCV(ResidualClassifier(**TINY), {"model": specs, "epochs": [2]}, cv=2).fit(x, y)
    assert search.best_estimator_.network_.spec.width == 16
    assert search.best_params_["model"] in specs


def test_a_fitted_one_survives_pickle_and_joblib(iris, fitted, tmp_path):
    import joblib

    x, _ = iris
    joblib.dump(fitted, tmp_path / "net.joblib")
    for copied in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "net.joblib")):
        np.testing.assert_array_equal(copied.predict_proba(x), fitted.predict_proba(x))


def _refused(x, y=None, **changes):
    y = np.arange(len(x)) % 2 if y is None else y
    return ResidualClassifier(**{**TINY, **changes}).fit(x, y)


@pytest.mark.parametrize(
    ("x", "changes", "message"),
    [
        (np.array([[1.0], [np.nan]]), {}, "contains NaN"),
        (np.array([[1.0], [1e31]]), {}, "beyond 1e\\+30"),
        (np.zeros((4, 8, 8)), {}, r"images are uint8 .* not float64 \(4, 8, 8\)"),
        (np.zeros((4, 8, 6), np.uint8), {}, "images are square, not 8x6"),
        (np.zeros((4, 8, 8, 4), np.uint8), {}, "with 1 or 3 channels"),
        (["a.png", 3], {}, "3"),
        (np.zeros((4, 2)), {"batch_size": 1}, "batches of at least 2"),
        (np.zeros((4, 2)), {"model": "residual_mpl"}, "did you mean 'residual_mlp'"),
        (np.zeros((4, 2)), {"model": "cifar_resnet8"}, r"takes|must be"),
        (np.zeros((4, 2)), {"validation_fraction": 2.0, "early_stopping": True}, "must be in"),
        (np.zeros((4, 2)), {"epochs": 0}, "epochs must be above 0"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(x, changes, message):
    with pytest.raises(ValueError, match=message) as got:
        _refused(x, **changes)
    assert "residua" in type(got.value).__module__ or "NaN" in message


def test_a_sample_of_another_kind_or_shape_is_refused(iris, fitted, digits):
    with pytest.raises(UsageError, match="trained on rows, X holds images"):
        fitted.predict(digits[0])
    with pytest.raises(ValueError, match="4 features as input"):
        fitted.predict(np.zeros((2, 3)))
    net = ResidualClassifier(epochs=1, random_state=0).fit(*digits)
    with pytest.raises(
        UsageError, match=r"X holds images \(C, H, W\) of \(3, 8, 8\), the network takes \(1, 8, 8\)"
    ):
        net.predict(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(NotFittedError):
        ResidualClassifier().predict(iris[0])


def test_one_class_and_a_lonely_sample_are_refused():
    with pytest.raises(ValueError, match="1 class"):
        _refused(np.zeros((3, 2)), [1, 1, 1])
    with pytest.raises(ValueError, match="n_samples=1"):
        ResidualRegressor(**TINY).fit(np.zeros((1, 2)), [1.0])


def test_every_parameter_is_documented():
    for name in ResidualClassifier().get_params():
        assert f"        {name}:" in ResidualEstimator.__doc__
