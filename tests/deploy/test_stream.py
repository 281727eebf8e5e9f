"""Many images at once: folders, videos, iterables, threads, and what cannot be read among them."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from residua.data.image import BadImage
from residua.deploy import Predictor
from residua.errors import ResiduaError, UsageError


@pytest.fixture
def predictor(weights):
    return Predictor(weights()[0])


@pytest.fixture
def folder(tmp_path):
    """Three images, one of them deeper, one that is none, and a text."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ("a.png", "c.bmp", "more/d.PNG"):
        Image.fromarray(random.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "b.jpg").write_bytes(b"no image")
    (tmp_path / "photos" / "notes.txt").write_text("text")
    return tmp_path / "photos"


def test_a_folder_is_its_images_and_a_bad_one_does_not_stop_the_others(predictor, folder):
    answers = list(predictor.stream(folder, k=2))
    assert [answer.name for answer in answers] == [
        str(folder / n) for n in ("a.png", "b.jpg", "c.bmp", "more/d.PNG")
    ]
    assert [answer.error is None for answer in answers] == [True, False, True, True]
    for answer in answers:
        if answer.error is None:
            assert dict(answer.top) == pytest.approx(dict(predictor(answer.name, k=2)), abs=1e-6)
    with pytest.raises(BadImage, match=r"b\.jpg: not an image"):
        predictor.predict(str(folder))


def test_an_iterator_is_read_as_far_as_is_needed(predictor):
    """Memory is bounded: of endless images no more are drawn than two batches ahead."""
    drawn = 0

    def endless():
        nonlocal drawn
        while True:
            drawn += 1
            yield np.full((16, 16, 3), drawn % 256, np.uint8)

    answers = predictor.stream(endless(), k=1)
    first = next(answers)
    assert dict(first.top) == pytest.approx(dict(predictor(np.full((16, 16, 3), 1, np.uint8), k=1)), abs=1e-6)
    assert drawn <= 3 * predictor.batch_size + 1
    before = threading.active_count()
    answers.close()
    assert threading.active_count() <= before
    assert drawn <= 3 * predictor.batch_size + 1


def test_ready_arrays_are_shown_without_a_copy(predictor):
    seen = []
    runtime = predictor._runtime

    def watched(pixels):
        seen.append(pixels)
        return runtime(pixels)

    predictor._runtime = watched
    pixels = np.random.default_rng(0).integers(0, 256, (130, 3, 16, 16), np.uint8)
    found = predictor.predict(pixels, k=3)
    assert [len(batch) for batch in seen] == [64, 64, 2]
    assert all(np.shares_memory(batch, pixels) for batch in seen)
    assert found[128:] == predictor.predict(pixels[128:].transpose(0, 2, 3, 1), k=3)


def test_arrays_of_any_memory_are_taken(predictor):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), np.uint8)
    expected = predictor.predict(pixels)
    mirrored = np.ascontiguousarray(pixels[..., ::-1])[..., ::-1]
    mirrored.flags.writeable = False
    assert predictor.predict(mirrored) == expected


def test_a_map_of_where_it_looked(predictor):
    """Its mean over the pixels is the top class's logit but for the bias (Zhou et al. 2016, sec. 2)."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), np.uint8)
    answers = list(predictor.stream(pixels, cams=True))
    logits = predictor.outputs(pixels)["logits"]
    bias = predictor._runtime._module.network.head.fc.bias.detach().numpy()
    for answer, row in zip(answers, logits, strict=True):
        assert answer.cam.shape == (4, 4)
        assert answer.cam.mean() == pytest.approx(row.max() - bias[row.argmax()], abs=1e-4)
    assert next(predictor.stream(pixels)).cam is None


def test_many_threads_get_the_answers_that_one_gets(predictor, folder):
    files = [
        folder / "a.png",
        folder / "c.bmp",
        np.zeros((9, 9), np.uint8),
        Image.open(folder / "more" / "d.PNG"),
    ]
    expected = predictor.predict(files)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: predictor.predict(files), range(24)))
    assert all(one == expected for one in found)


def test_a_network_that_gives_no_numbers_for_one_image_says_so(predictor):
    runtime = predictor._runtime

    def spoilt(pixels):
        outputs = runtime(pixels)
        outputs["logits"][pixels.max((1, 2, 3)) == 7] = np.nan
        return outputs

    predictor._runtime = spoilt
    images = [np.full((16, 16, 3), level, np.uint8) for level in (3, 7, 9)]
    answers = list(predictor.stream(images))
    assert [answer.error for answer in answers] == [
        None,
        "the network gives it answers that are not finite",
        None,
    ]
    with pytest.raises(ResiduaError, match="not finite"):
        predictor(images[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.stream([], k=0), "k must be at least 1"),
        (lambda p: p.stream([], every=-1), "every must be seconds"),
        (lambda p: p.outputs(np.zeros((1, 3, 16, 17), np.uint8)), r"takes arrays uint8 \(N, 3, 16, 16\)"),
        (lambda p: p.outputs(np.zeros((1, 3, 16, 16), np.float32)), "not float32"),
    ],
)
def test_wrong_uses_are_one_line(predictor, call, message):
    with pytest.raises(UsageError, match=message):
        call(predictor)


def test_an_empty_folder_is_refused(predictor, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no image"):
        predictor.predict(tmp_path / "empty")
    assert predictor.predict([]) == []


def jpeg():
    out = io.BytesIO()
    Image.fromarray(np.arange(48 * 32 * 3, dtype=np.uint8).reshape(32, 48, 3)).save(out, "jpeg")
    return out.getvalue()


@settings(max_examples=60)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.integers(0, len(jpeg())).map(lambda n: jpeg()[:n]),
        st.tuples(st.integers(0, len(jpeg()) - 1), st.binary(min_size=1, max_size=9)).map(
            lambda at: jpeg()[: at[0]] + at[1] + jpeg()[at[0] + len(at[1]) :]
        ),
        st.sampled_from(
            [np.zeros(s, d) for s in [(), (3,), (0, 3), (4, 4, 2), (2, 2, 2, 2)] for d in ("u1", "f4", "O")]
        ),
        st.sampled_from([None, 5, object(), "", "a\0b", "none.png", [], {}]),
    )
)
def test_hostile_images_are_answers_with_a_line_each(hostile_predictor, image):
    before, answer, after = hostile_predictor.stream(
        [np.zeros((5, 5, 3), np.uint8), image, np.zeros((5, 5), np.uint8)]
    )
    assert before.error is None
    assert after.error is None
    assert (answer.top is None) != (answer.error is None)
    assert "\n" not in (answer.error or "")


@pytest.fixture(scope="module")
def hostile_predictor(tmp_path_factory):
    from residua.loading import create_model
    from residua.weights.model_files import save_model

    about = {"shape": [3, 8, 8], "mean": [0.5] * 3, "std": [0.2] * 3}
    path = tmp_path_factory.mktemp("hostile") / "w.safetensors"
    save_model(path, create_model("cifar_resnet8", num_classes=3), about)
    return Predictor(path)
