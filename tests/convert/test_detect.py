"""Foreign checkpoints, made from residua's networks with an inverse naming that is written out here."""

import os
import pickle
import re
from collections import OrderedDict

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from residua.convert import read_foreign
from residua.errors import ResiduaError
from residua.models.resnet import ResNetSpec
from residua.registry import build, model_spec
from residua.weights.model_files import build_model

NAMES = {"akamaster": ("shortcut", "linear"), "torchvision": ("downsample", "fc")}


def foreign(library, model):
    """The state dict that the library would have saved."""
    shortcut, head = NAMES[library]
    renamed = OrderedDict()
    for name, tensor in model.state_dict().items():
        name = name.replace("stem.conv", "conv1").replace("stem.norm", "bn1").replace("head.fc", head)
        name = re.sub(r"stages\.(\d)\.", lambda m: f"layer{int(m[1]) + 1}.", name)
        name = name.replace("branch.conv", "conv").replace("branch.norm", "bn")
        name = name.replace("shortcut.conv", f"{shortcut}.0").replace("shortcut.norm", f"{shortcut}.1")
        renamed[name] = tensor.clone()
    return renamed


def network(name="cifar_resnet8", **changes):
    torch.manual_seed(0)
    model = build(model_spec(name, **changes)).eval()
    for module in model.modules():  # statistics that matter
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model


def tiny(**changes):
    return ResNetSpec(depths=(1, 2, 1, 1), widths=(4, 8, 12, 16), num_classes=7).change(**changes)


CASES = [
    ("akamaster", "cifar_resnet8", {"shortcut": "A-split"}, 32),
    ("akamaster", "cifar_resnet14", {"shortcut": "B", "num_classes": 100}, 32),
    ("akamaster", "cifar_resnet8", {"shortcut": "C", "in_channels": 1}, 32),
    ("torchvision", tiny(), {}, 64),
    ("torchvision", tiny(unit="bottleneck"), {}, 64),
    ("torchvision", tiny(unit="bottleneck", expansion=2, shortcut="C"), {}, 64),
]


@pytest.mark.parametrize(("library", "name", "changes", "side"), CASES)
def test_the_network_is_found_and_gives_the_same_outputs(tmp_path, library, name, changes, side):
    model = network(name, **changes)
    path = tmp_path / "peer.pth"
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in foreign(library, model).items()}}, path
    )
    weights = read_foreign(path)
    assert weights.spec == model.spec
    assert weights.data["library"] == library
    images = torch.rand(2, model.spec.in_channels, side, side)
    with torch.no_grad():
        assert torch.equal(build_model(weights)(images), model(images))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_imagenet_networks_are_named_and_v15_is_said_to_be_assumed(tmp_path, name):
    path = tmp_path / "peer.pth"
    torch.save(foreign("torchvision", build(model_spec(name)).half()), path)
    weights = read_foreign(path)
    assert weights.spec == model_spec(name)
    assert {tensor.dtype for tensor in weights.tensors.values()} == {torch.float32, torch.int64}
    assert any("v1.5" in note for note in weights.data["notes"]) == (name == "resnet50")
    assert weights.data["shape"] == [3, 224, 224]
    assert "classes" not in weights.data


def test_what_is_known_of_the_images():
    from residua.convert.akamaster import AKAMASTER

    spec = model_spec("cifar_resnet20")
    assert AKAMASTER.data(spec, [])["mean"] == [0.485, 0.456, 0.406]
    assert AKAMASTER.data(spec, [])["classes"][3] == "cat"
    assert "classes" not in AKAMASTER.data(spec.change(num_classes=100), [])
    assert "mean" not in AKAMASTER.data(spec.change(in_channels=1), [])


FORMS = [
    ("safetensors", None),  # has no nesting
    *[(form, wrapper) for form in ("zip", "legacy") for wrapper in (None, "state_dict", "model", "net")],
]


@pytest.mark.parametrize(("form", "wrapper"), FORMS)
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_wrappers_prefixes_and_file_formats(tmp_path, wrapper, form, prefix):
    tensors = {prefix + k: v for k, v in foreign("akamaster", network(shortcut="B")).items()}
    path = tmp_path / "peer.bin"
    if form == "safetensors":
        save_file(tensors, path)
    else:
        content = tensors if wrapper is None else {wrapper: tensors, "epoch": 1}
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    assert read_foreign(path).spec.name == "cifar_resnet8"


def test_files_of_old_torch_without_batch_counters(tmp_path):
    tensors = {k: v for k, v in foreign("akamaster", network(shortcut="B")).items() if "num_batches" not in k}
    torch.save(tensors, tmp_path / "old.th")
    assert build_model(read_foreign(tmp_path / "old.th")).spec.depth == 8


def refused(path):
    with pytest.raises(ResiduaError) as caught:
        read_foreign(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def changed(name, tensor):
    def change(tensors):
        if tensor is None:
            del tensors[name]
        else:
            tensors[name] = tensor

    return change


WRONG = [
    (changed("linear.weight", None), "has no linear.weight"),
    (changed("layer2.0.conv1.weight", None), "layer2.0.conv1.weight is missing"),
    (changed("layer1.0.bn2.bias", None), "layer1.0.bn2.bias is missing"),
    (changed("layer1.0.bn2.bias", torch.zeros(5)), r"is \[5\], should be \[16\]"),
    (changed("layer1.7.bn2.bias", torch.zeros(16)), "missing"),
    (changed("layer3.0.conv1.weight", torch.zeros(64, 1, 3, 3)), r"\[64, 1, 3, 3\], should be"),
    (changed("conv1.weight", torch.tensor(1.0)), "is no resnet"),
    (changed("linear.weight", torch.tensor(1.0)), "is no resnet"),
    (changed("linear.weight", torch.zeros(0, 64)), r"linear\.weight is \[0, 64\]"),
    (
        changed("attention.weight", torch.zeros(3)),
        r"looked for akamaster \(resnet\); .*torchvision .*found conv1.weight",
    ),
    (
        changed("linear.weight", torch.zeros(1).expand(10, 64 * 2**20)),
        "linear.weight cannot be read: it claims more tensor data than its storage",
    ),
    (changed("linear.weight", torch.zeros(10, 64).to_sparse()), "not a plain tensor"),
    (changed("linear.weight", torch.zeros(10, 64, dtype=torch.complex64)), "not a plain tensor"),
]


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_does_not_fit_is_one_line(tmp_path, change, message):
    tensors = foreign("akamaster", network(shortcut="A-split"))
    change(tensors)
    torch.save(tensors, tmp_path / "peer.pth")
    assert re.search(message, refused(tmp_path / "peer.pth"))


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


EVIL = [
    (torch.save, "holds (posix|nt).mkdir, which is never run"),
    (lambda value, path: path.write_bytes(pickle.dumps(value)), "does not begin as a file of torch.save"),
]


@pytest.mark.parametrize(("save", "message"), EVIL)
def test_code_in_a_file_is_never_run(tmp_path, save, message):
    save({"state_dict": Evil(tmp_path / "owned")}, tmp_path / "evil.pth")
    assert re.search(message, refused(tmp_path / "evil.pth"))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "content", [[1, 2], 3, {}, {"a": 1}, {"state_dict": {"epoch": 3}}, {1: torch.zeros(2)}]
)
def test_files_without_named_tensors(tmp_path, content):
    torch.save(content, tmp_path / "peer.pth")
    assert "named tensors" in refused(tmp_path / "peer.pth")


def test_a_whole_module_of_no_known_network_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "peer.pth")
    assert "found weight, bias" in refused(tmp_path / "peer.pth")


def test_missing_files_and_folders(tmp_path):
    assert "No such file" in refused(tmp_path / "none.pth")
    assert "Is a directory" in refused(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a small good file, in each format."""
    folder = tmp_path_factory.mktemp("whole")
    tensors = foreign("akamaster", build(ResNetSpec(depths=(1,), widths=(2,), stem="cifar", num_classes=2)))
    torch.save(tensors, folder / "zip")
    torch.save(tensors, folder / "legacy", _use_new_zipfile_serialization=False)
    save_file(tensors, folder / "safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(["zip", "legacy", "safetensors"]), data=st.data())
def test_truncated_files_are_one_line(tmp_path, whole, form, data):
    content = whole[form]
    path = tmp_path / "cut.pth"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    refused(path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(["zip", "legacy", "safetensors"]), data=st.data())
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, whole, form, data):
    content = bytearray(whole[form])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    try:
        read_foreign(path)
    except ResiduaError as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=300))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_are_one_line(tmp_path, content):
    path = tmp_path / "noise.pth"
    path.write_bytes(content)
    refused(path)
