import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.spec import Recipe


@pytest.mark.parametrize(("shape", "strategy"), [("linear", "linear"), ("cosine", "cos")])
def test_it_is_torchs(shape, strategy):
    steps, rise = 41, 0.3
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=steps,
        pct_start=rise,
        anneal_strategy=strategy,
        cycle_momentum=False,
        div_factor=25,
        final_div_factor=4,
    )
    # torch's first step is at progress 0 and its last at 1, and it rises for pct_start * steps - 1 of these
    peak = (rise * steps - 1) / (steps - 1)
    ours = Recipe(schedule=f"one_cycle(peak={peak}, start=0.04, end=0.01, shape={shape})")
    for step in range(steps):
        assert ours.lr_factor(step / (steps - 1)) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        if step < steps - 1:
            theirs.step()


def test_it_stays_at_its_end():
    cycle = Recipe(schedule="one_cycle(peak=0.2, until=0.75, end=0.25)")
    assert [cycle.lr_factor(x) for x in (0, 0.2, 0.75, 0.9, 1)] == pytest.approx([0.04, 1, 0.25, 0.25, 0.25])


@given(st.floats(0, 1), st.floats(0, 0.9), st.sampled_from(["linear", "cosine"]))
def test_it_stays_within_its_bounds(progress, peak, shape):
    factor = Recipe(schedule=f"one_cycle(peak={peak}, shape={shape})").lr_factor(progress)
    assert -1e-12 <= factor <= 1 + 1e-12


@pytest.mark.parametrize(
    "options", ["peak=1", "peak=0.5, until=0.4", "until=2", "start=2", "end=-1", "shape=round"]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError):
        Recipe(schedule=f"one_cycle({options})")
