"""What PyTorch itself does with any module, done with networks: copies, averages, wrappers, functions, counts."""

from __future__ import annotations

import copy
import io

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.flop_counter import FlopCounterMode

from residua import create_model, load_model, save_model
from residua.analysis.cost import cost
from residua.registry import families

NETWORKS = ("cifar_resnet8", "densenet_tiny", "resnest_tiny", "vit_digits")
COUNTED = sorted(family.tiny for family in families().values() if not family.spec_class.takes_tokens)


@pytest.fixture(params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    return create_model(request.param).eval()


@pytest.fixture
def images(network):
    return torch.randn(2, *network.spec.usual_input, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def one_process():
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    yield
    dist.destroy_process_group()


def averaged(network):
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    mean.update_parameters(network)
    mean.update_parameters(network)
    return mean.eval()


def saved_whole(network):
    file = io.BytesIO()
    torch.save(network, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=False)


def called(network):
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    bare = copy.deepcopy(network).to("meta")
    return lambda images: functional_call(bare, tensors, (images,))


def stacked(network):
    """One of three members of an ensemble that run as one."""
    parameters, buffers = stack_module_state([copy.deepcopy(network) for _ in range(3)])
    bare = copy.deepcopy(network).to("meta")

    def run(images):
        one = lambda parameters, buffers: functional_call(bare, (parameters, buffers), (images,))  # noqa: E731
        return vmap(one)(parameters, buffers)[1]

    return run


@pytest.mark.parametrize("wrap", [copy.deepcopy, saved_whole, averaged, called, stacked, nn.DataParallel])
def test_the_same_logits(network, images, wrap):
    torch.testing.assert_close(wrap(network)(images), network(images), rtol=1e-4, atol=1e-5)


def test_a_copy_shares_nothing(network):
    theirs = {id(tensor) for tensor in copy.deepcopy(network).state_dict(keep_vars=True).values()}
    assert theirs.isdisjoint(id(tensor) for tensor in network.state_dict(keep_vars=True).values())


def test_gradients_of_each_image(network, images):
    parameters, buffers = (
        {k: p.detach() for k, p in network.named_parameters()},
        dict(network.named_buffers()),
    )

    def score(parameters, image):
        return functional_call(network, (parameters, buffers), (image[None],)).square().sum()

    together = vmap(grad(score), (None, 0))(parameters, images)
    for place, image in enumerate(images):
        for name, expected in grad(score)(parameters, image).items():
            torch.testing.assert_close(
                together[name][place], expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()) + 1e-7
            )


def test_ddp_gives_the_gradients_of_the_network(network, images, one_process):
    network(images).square().sum().backward()
    expected = {name: one.grad.clone() for name, one in network.named_parameters()}
    network.zero_grad()
    wrapped = nn.parallel.DistributedDataParallel(network)
    wrapped(images).square().sum().backward()
    for name, one in network.named_parameters():
        torch.testing.assert_close(one.grad, expected[name], rtol=1e-4, atol=1e-6)


def test_ddp_has_to_be_told_of_branches_that_are_left_out(one_process):
    def train(**options):
        torch.manual_seed(0)
        network = create_model("cifar_resnet8", drop_path=0.9, drop_path_mode="batch")
        wrapped = nn.parallel.DistributedDataParallel(network, **options)
        for _ in range(4):
            wrapped(torch.randn(2, 3, 32, 32)).sum().backward()

    train(find_unused_parameters=True)
    with pytest.raises(RuntimeError, match="parameters that were not used"):
        train()


def test_an_average_is_saved_as_the_network_that_it_is_of(tmp_path):
    network = create_model("cifar_resnet8")
    mean = AveragedModel(network)
    mean.update_parameters(network)
    update_bn([torch.randn(4, 3, 32, 32)], mean)
    save_model(tmp_path / "mean.safetensors", mean.module)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(load_model(tmp_path / "mean.safetensors")(images), mean.eval()(images))


def test_weights_by_address(tmp_path):
    network = create_model("cifar_resnet8")
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    address = (tmp_path / "weights.pth").as_uri()
    state = torch.hub.load_state_dict_from_url(address, model_dir=tmp_path / "cache", weights_only=True)
    assert str(create_model("cifar_resnet8").load_state_dict(state)) == "<All keys matched successfully>"


@pytest.mark.parametrize("name", [*COUNTED, "resnet50", "cifar_preact_resnet110"])
def test_torch_counts_the_same_multiply_adds(name):
    with torch.device("meta"):
        network = create_model(name).eval()
        image = torch.empty(1, *network.spec.usual_input)
    with FlopCounterMode(display=False) as counter:
        network(image)
    assert counter.get_total_flops() == 2 * cost(network, network.spec.usual_input).multiply_adds
