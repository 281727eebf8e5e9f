import pytest
import torch

from residua.errors import UsageError
from residua.nn import SelfAttention


def attention(**options):
    torch.manual_seed(0)
    return SelfAttention(16, 4, **options).double()


def by_hand(layer, x, allowed=None):
    """Softmax of scaled scores, head by head (Vaswani et al. 2017, eq. 1)."""
    width = x.shape[-1]
    query, key, value = layer.qkv(x).split(width, -1)
    size = width // layer.heads
    mixed = torch.zeros_like(x)
    for head in range(layer.heads):
        part = slice(head * size, (head + 1) * size)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / size**0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        mixed[..., part] = scores.softmax(-1) @ value[..., part]
    return layer.proj(mixed)


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_papers_equation(causal):
    layer, x = attention(causal=causal), torch.randn(2, 5, 16, dtype=torch.double)
    allowed = torch.ones(5, 5, dtype=torch.bool).tril() if causal else None
    assert torch.allclose(layer(x), by_hand(layer, x, allowed))


def test_what_comes_later_changes_nothing_before_it():
    layer, x = attention(causal=True), torch.randn(1, 6, 16, dtype=torch.double)
    changed = x.clone()
    changed[:, 4:] = torch.randn(1, 2, 16, dtype=torch.double)
    assert torch.equal(layer(x)[:, :4], layer(changed)[:, :4])
    assert not torch.allclose(layer(x)[:, 4:], layer(changed)[:, 4:])


@pytest.mark.parametrize("causal", [False, True])
def test_padding_is_as_if_it_were_not_there(causal):
    layer, x = attention(causal=causal), torch.randn(1, 6, 16, dtype=torch.double)
    mask = torch.tensor([[True, True, True, True, False, False]])
    padded = layer(x, mask=mask)
    assert torch.allclose(padded[:, :4], layer(x[:, :4]))
    assert torch.isfinite(padded).all()
    before = layer(x, mask=~mask)  # padding in front: a causal position 0 has only itself to look at
    assert torch.isfinite(before).all()


def test_bfloat16_training_on_a_cpu_is_near_float32():
    layer, x = attention().float(), torch.randn(2, 5, 16, requires_grad=True)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        near = layer(x)
    assert near.dtype == torch.bfloat16
    assert torch.allclose(near.float(), exact, atol=0.02)
    near.float().sum().backward()
    assert x.grad.isfinite().all()


def test_heads_must_divide_the_width():
    with pytest.raises(UsageError, match="3 heads do not divide a width of 16"):
        SelfAttention(16, 3)
