"""Several processes as one: what they compute together is what one computes, to rounding."""

import json

import pytest
import torch
from tests.train.several import finish, start

from residua.errors import ResiduaError, UsageError
from residua.train.processes import ALONE, Processes, check_device, joined
from residua.train.shared_batch import cut, shared

COUNT = 3  # which seven rows cannot be divided among evenly
CODE = """
import copy, json, torch, torch.nn.functional as F
from torch import nn
from residua.nn import DropPath
from residua.train.processes import joined
from residua.train.shared_batch import cut, shared

class Plus(nn.Module):
    def __init__(self, drop, *branch):
        super().__init__()
        self.drop, self.branch = drop, nn.Sequential(*branch)
    def forward(self, x):
        return x + self.drop(self.branch(x))

def network(dtype):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3),
        Plus(DropPath(0.5), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, momentum=None), nn.ReLU()),
        Plus(DropPath(0.2), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, affine=False)),
        nn.Flatten(), nn.Linear(512, 5), nn.BatchNorm1d(5),
    ).to(dtype, memory_format=torch.channels_last)

def difference(one, other):
    return max(float((a.double() - b.double()).abs().max()) for a, b in zip(one, other))

found = {}
with joined() as processes:
    for name, dtype in (("float64", torch.float64), ("float32", torch.float32)):
        net = network(dtype)
        whole, keys = copy.deepcopy(net), list(net.state_dict())
        images = torch.randn(7, 3, 10, 10, dtype=dtype).to(memory_format=torch.channels_last)
        batch = images, torch.randint(0, 5, (7,))
        for step in range(2):
            torch.manual_seed(step)
            expected = F.cross_entropy(whole(images), batch[1])
            expected.backward()
            torch.manual_seed(step)
            with shared(net, processes, batch):
                mine, labels = cut(batch, processes)
                loss = F.cross_entropy(net(mine), labels) * len(labels) / 7
                loss.backward()
        processes.add_gradients(net.parameters())
        # the gradients of the second step were added to those of the first
        found[name] = {
            "loss": difference([processes.added(loss.detach())], [expected.detach()]),
            "gradients": difference([p.grad for p in net.parameters()], [p.grad for p in whole.parameters()]),
            "statistics": difference(net.buffers(), whole.buffers()),
            "as they were": keys == list(net.state_dict()) and not any("forward" in vars(m) for m in net.modules()),
        }
    rank = processes.rank
    ones = [nn.Parameter(torch.zeros(2)) for _ in range(4)]
    ones[3].requires_grad_(False)
    ones[0].grad = torch.full((2,), rank + 1.0)
    ones[1].grad = torch.full((2,), 5.0) if rank == 1 else None
    processes.add_gradients(ones)
    found["gradients"] = [p.grad if p.grad is None else p.grad.tolist() for p in ones]
    found["largest"] = processes.largest(rank, -rank)
    found["told"] = processes.told({"from": rank})
    found["all"] = processes.of_all(rank)
    found["total"] = {k: float(v) for k, v in processes.total({"loss": torch.tensor(0.5 * rank)}).items()}
    found["all items"] = list(processes.in_step(range(rank + 1), until=lambda: False))
    seen = []
    noting = map(lambda x: seen.append(x) or x, range(100))
    found["early"] = list(processes.in_step(noting, lambda: rank == 1 and len(seen) > 4))
    found["gathered"] = [t.tolist() for t in processes.gathered(torch.full((rank, 2), rank), torch.arange(rank))]
    with joined() as again:
        found["again"] = again is processes
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    return [json.loads(out) for out in finish(start(CODE, COUNT, folder))]


@pytest.mark.parametrize(("precision", "close"), [("float64", 1e-10), ("float32", 1e-4)])
def test_a_shared_batch_gives_the_gradients_and_statistics_of_one_process(found, precision, close):
    for each in found:
        assert each[precision].pop("as they were") is True
        assert max(each[precision].values()) < close, each[precision]


def test_gradients_are_added_up_and_what_nobody_has_stays_none(found):
    assert [each["gradients"] for each in found] == [[[6.0, 6.0], [5.0, 5.0], None, None]] * COUNT


def test_they_tell_each_other(found):
    for rank, each in enumerate(found):
        assert each["largest"] == [2, 0]
        assert each["told"] == {"from": 0}
        assert each["all"] == [0, 1, 2]
        assert each["total"] == {"loss": 1.5}
        assert each["all items"] == [*range(rank + 1)]
        assert each["early"] == [0, 1, 2, 3, 4]
        assert each["gathered"] == [[[1, 1], [2, 2], [2, 2]], [0, 0, 1]]
        assert each["again"] is True


def test_shares_hold_every_row_once():
    for rows, count in ((7, 3), (128, 2), (5, 5), (64, 7)):
        shares = [Processes(rank, count).share(rows) for rank in range(count)]
        assert [row for share in shares for row in range(rows)[share]] == [*range(rows)]
        assert max(s.stop - s.start for s in shares) - min(s.stop - s.start for s in shares) <= 1


def test_fewer_rows_than_processes_are_refused():
    with pytest.raises(ResiduaError, match="a batch of 1 cannot be divided among 2 processes"):
        Processes(0, 2).share(1)


def test_alone_nothing_changes(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    batch, network = (torch.zeros(1, 3), torch.zeros(1)), torch.nn.BatchNorm1d(3)
    assert cut(batch, ALONE) is batch
    with joined() as processes, shared(network, processes, batch):
        assert processes is ALONE
        assert "forward" not in vars(network)
    assert list(ALONE.in_step([1, 2, 3], until=lambda: False)) == [1, 2, 3]
    assert ALONE.told(5) == 5
    assert ALONE.of_all(5) == [5]
    assert ALONE.largest(4, False) == [4, False]


def test_a_device_for_each():
    check_device("cpu", Processes(0, 8, 8))
    check_device("cuda:1", ALONE)
    with pytest.raises(UsageError, match="cuda:0 is one device"):
        check_device("cuda:0", Processes(0, 2, 2))
    with pytest.raises(UsageError, match="5000 processes need a GPU each"):
        check_device("cuda", Processes(0, 5000, 5000))


def test_a_process_that_has_lost_another_says_so(tmp_path):
    code = """
import os, sys
from residua.errors import ResiduaError
from residua.train.processes import joined
try:
    with joined() as processes:
        processes.first or os._exit(0)
        processes.wait()
except ResiduaError as error:
    sys.exit(f"{error.exit_code} {error}")
"""
    first, other = start(code, 2, tmp_path)
    errors = first.communicate(timeout=100)[1]
    other.communicate()
    assert errors.strip().splitlines()[-1].startswith("75 another process of this training has ended: ")
