import pytest
import torch
from torch import nn

from residua.deploy.deployable import Deployable
from residua.deploy.folding import fold_norms, foldable
from residua.deploy.program import make_program, recorded
from residua.errors import ResiduaError
from residua.registry import model_spec
from residua.testing.example import network


def deployable(name):
    spec = model_spec(name)
    pixels = torch.randint(0, 256, (3, *spec.usual_input), dtype=torch.uint8)
    channels = spec.in_channels
    return Deployable(network(spec), [0.5] * channels, [0.25] * channels), pixels


def norms(module):
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize(("name", "left"), [("cifar_resnet8", 0), ("densenet_tiny", None)])
def test_norms_are_folded_and_nothing_changes(name, left):
    module, pixels = deployable(name)
    program = make_program(module, pixels, ("a",) * 10)
    assert program.dynamic_size
    assert program.folding_error < 1e-12
    if left is not None:
        assert norms(program.module) == left
    else:  # its norms stand before the convolutions: only those between two of a layer are folded
        assert 0 < norms(program.module) < norms(module)
    assert norms(module) > 0, "the network itself stays as it was"
    with torch.no_grad():
        for batch in (pixels[:1], pixels[:2], pixels, pixels[..., :20, :24]):
            expected, found = module(batch)[0], program.exported.module()(batch)[0]
            assert torch.allclose(found, expected, atol=1e-4)


class _Shared(nn.Module):
    """A norm that may be folded, one whose convolution has another reader, and one that is called twice."""

    def __init__(self):
        super().__init__()
        self.fine, self.read, self.again = (nn.Conv2d(2, 2, 3, padding=1) for _ in range(3))
        self.norm1, self.norm2, self.norm3 = (nn.BatchNorm2d(2) for _ in range(3))
        for norm in (self.norm1, self.norm2, self.norm3):
            nn.init.uniform_(norm.running_mean, -1, 1)
            nn.init.uniform_(norm.running_var, 0.5, 2)

    def forward(self, x):
        x = self.norm1(self.fine(x.to(self.fine.weight.dtype)))
        read = self.read(x)
        x = read + self.norm2(read)
        return (self.norm3(self.again(self.norm3(self.again(x)))),)


def test_only_what_stands_alone_is_folded():
    module, x = _Shared().eval(), torch.randn(2, 2, 6, 6)
    program = recorded(module, x, dynamic_size=False)
    assert foldable(program) == [("fine", "norm1")]
    folded, error = fold_norms(module, program, x)
    assert error < 1e-12
    assert isinstance(folded.norm1, nn.Identity)
    assert norms(folded) == 2


def test_folding_that_changes_the_outputs_is_refused(monkeypatch):
    module, x = _Shared().eval(), torch.randn(2, 2, 6, 6)
    program = recorded(module, x, dynamic_size=False)
    monkeypatch.setattr("residua.deploy.folding.foldable", lambda _: [("read", "norm2")])
    with pytest.raises(ResiduaError, match="folding the norms changes the outputs"):
        fold_norms(module, program, x)


def test_a_network_that_cannot_be_recorded_is_one_line():
    module, pixels = deployable("ode_tiny")
    with pytest.raises(ResiduaError, match="chooses its steps by the values") as caught:
        make_program(module, pixels)
    assert "\n" not in str(caught.value)


def test_a_network_of_patches_keeps_its_size():
    module, pixels = deployable("vit_digits")
    assert not make_program(module, pixels).dynamic_size
