"""HubFile weights by name, from a server of this machine."""

import hashlib
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from residua.convert import hub
from residua.convert.hub import fetch_published
from residua.download import OFFLINE
from residua.errors import ResiduaError, UsageError
from residua.loading import create_model, load_model, load_weights
from residua.registry import build, model_spec
from residua.weights.named import named_weights
from residua.weights.published_files import SITES, TABLE, HubFile

NO_ADDRESSES = [
    *("http://[::1", "http://]", "http://", "file:///etc/passwd", "ftp://a/b", "example.org", "//a/b"),
    *("http://a:b/c", "http://a:99999999/c", "http://a b/c", "http://a\nb/c", "http://a\x1b[2J/c"),
    *("http://a..b/c", f"http://{'a' * 70}.org/", "http://\udcff/", "http://ä\ufffe/", "http://:80/"),
]


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a small network as akamaster saves one."""
    from residua.convert.write import write_weights
    from residua.weights.model_files import Weights

    torch.manual_seed(0)
    model = build(model_spec("cifar_resnet8", shortcut="A-split"))
    path = tmp_path_factory.mktemp("published") / "small.th"
    write_weights(path, Weights(model.state_dict(), model.spec), "akamaster")
    return path.read_bytes()


class Server(ThreadingHTTPServer):
    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.asked, self.cut_after = content, [], None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append((self.path, asked))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut_after])

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(content, monkeypatch, tmp_path):
    """Serves a network called akamaster:small; the cache is empty."""
    digest = hashlib.sha256(content).hexdigest()[:8]
    small = HubFile(f"small-{digest}.th", 12.5, "CIFAR10", 32, "CIFAR-10")
    monkeypatch.setitem(TABLE["akamaster"], "small", (small,))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(content) as running:
        monkeypatch.setenv(hub.MIRROR, f"http://127.0.0.1:{running.server_port}/models/")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_weights_are_downloaded_once_and_work_without_the_server(server, tmp_path, capsys):
    weights = load_weights("akamaster:small")
    assert weights.spec.shortcut.kind == "A-split"
    assert weights.data["published"]["top1"] == 12.5
    assert weights.data["shape"] == [3, 32, 32]
    out, err = capsys.readouterr()
    assert (out, "100 %" in err) == ("", True)
    (file,) = (tmp_path / "torch" / "hub" / "checkpoints").glob("*.th")
    assert server.asked == [(f"/models/{file.name}", None)]
    server.shutdown()
    model = load_model("akamaster:small")
    assert torch.equal(model.state_dict()["head.fc.weight"], weights.tensors["head.fc.weight"])
    assert len(server.asked) == 1


def test_a_model_starts_from_them(server):
    model = create_model("cifar_resnet8", shortcut="A-split", num_classes=3, pretrained="akamaster:small")
    expected = load_weights("akamaster:small").tensors["stem.conv.weight"]
    assert torch.equal(model.state_dict()["stem.conv.weight"], expected)
    with pytest.raises(UsageError, match="create it with shortcut='A-split'"):
        create_model("cifar_resnet8", pretrained="akamaster:small")


def test_a_cut_download_goes_on(server):
    server.cut_after = len(server.content) // 2 + 1
    path = fetch_published("akamaster:small")
    assert path.read_bytes() == server.content
    assert [asked for _, asked in server.asked] == [None, f"bytes={server.cut_after}-"]


def test_other_bytes_are_refused_and_removed(server, tmp_path):
    server.content = server.content[:-1] + b"!"
    with pytest.raises(ResiduaError, match="is not the official small-") as caught:
        load_weights("akamaster:small")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []


def test_a_damaged_cache_is_named(server, tmp_path):
    path = fetch_published("akamaster:small")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ResiduaError, match=f"remove {path}"):
        load_weights("akamaster:small")


def test_the_first_download_is_noted_and_no_other_file_taken_later(server, tmp_path, monkeypatch):
    """The name states 8 digits of the checksum; here those of two files are the same."""
    weights = tmp_path / "torch" / "hub" / "checkpoints"
    monkeypatch.setitem(TABLE["akamaster"], "small", (HubFile("small-.th", 12.5, "CIFAR10"),))
    path = fetch_published("akamaster:small")
    assert json.loads((weights / hub.PINS).read_text()) == {
        path.name: hashlib.sha256(server.content).hexdigest()
    }
    assert fetch_published("akamaster:small") == path
    for changed in (path.read_bytes()[:-1] + b"!", None):
        if changed is None:
            path.unlink()
            server.content = server.content[:-1] + b"!"
        else:
            path.write_bytes(changed)
        with pytest.raises(
            ResiduaError, match=f"not the file of its first download, noted in .*{hub.PINS}"
        ) as caught:
            load_weights("akamaster:small")
        assert "\n" not in str(caught.value)
    assert [one.name for one in weights.iterdir()] == [hub.PINS]


def test_a_folder_that_cannot_be_written_is_said_and_no_fault(server, monkeypatch, caplog):
    def refuse(path, value):
        raise ResiduaError(f"cannot write {path}: Read-only file system")

    monkeypatch.setattr(hub, "write_json", refuse)
    assert fetch_published("akamaster:small").exists()
    assert "is not noted: cannot write" in caplog.text


def test_a_whole_checksum_that_is_known_is_asked_for(server, monkeypatch):
    known = HubFile("small-.th", 12.5, "CIFAR10", sha256="0" * 64)
    monkeypatch.setitem(TABLE["akamaster"], "small", (known,))
    with pytest.raises(ResiduaError, match=f"not {'0' * 64}"):
        fetch_published("akamaster:small")


def test_known_checksums_begin_as_the_names_state():
    known = [one for table in TABLE.values() for kinds in table.values() for one in kinds]
    assert all(re.fullmatch("[0-9a-f]{8}", one.stated) for one in known)
    whole = [one for one in known if one.sha256]
    assert len(whole) == 2
    assert all(
        re.fullmatch("[0-9a-f]{64}", one.sha256) and one.sha256.startswith(one.stated) for one in whole
    )


def test_known_checksums_are_those_of_the_files(shared):
    for name in ("resnet20", "resnet56"):
        (one,) = TABLE["akamaster"][name]
        content = (shared / "data/peer-checkpoints" / one.file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one.sha256


@pytest.mark.parametrize("notes", ["{", "[]", '{"a": 3}', '{"a": "b"}'])
def test_damaged_notes_are_one_line(server, tmp_path, notes):
    pins = tmp_path / "torch" / "hub" / "checkpoints" / hub.PINS
    pins.parent.mkdir(parents=True)
    pins.write_text(notes)
    with pytest.raises(ResiduaError, match=hub.PINS) as caught:
        fetch_published("akamaster:small")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mirror", NO_ADDRESSES)
def test_a_mirror_that_is_no_address_is_one_line(server, monkeypatch, mirror):
    monkeypatch.setenv(hub.MIRROR, mirror)
    with pytest.raises(UsageError, match=f"{hub.MIRROR} is an http:// or https:// address, not") as caught:
        fetch_published("akamaster:small")
    assert str(caught.value).isprintable()


def test_without_a_network_it_is_said_what_to_do(server, monkeypatch, tmp_path):
    monkeypatch.setenv(hub.MIRROR, "http://127.0.0.1:9")
    with pytest.raises(ResiduaError, match=r"put it at .*checkpoints.*, or set RESIDUA_MIRROR") as caught:
        load_weights("torchvision:resnet50")
    assert "\n" not in str(caught.value)
    assert "resnet50-11ad3fa6.pth" in str(caught.value)


def test_offline_what_is_cached_works_and_the_rest_is_said(server, monkeypatch):
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(
        ResiduaError, match=r"offline: akamaster:small is not cached .*cached are none, "
    ) as caught:
        load_weights("akamaster:small")
    assert "\n" not in str(caught.value)
    monkeypatch.setenv(OFFLINE, "0")
    load_weights("akamaster:small")
    monkeypatch.setenv(OFFLINE, "1")
    load_weights("akamaster:small")
    with pytest.raises(ResiduaError, match="cached are akamaster:small, and bundled comes with the package"):
        load_weights("torchvision:resnet50")
    assert len(server.asked) == 1  # and nothing while offline


def test_offline_a_begun_download_waits(server, monkeypatch):
    server.cut_after = 0
    with pytest.raises(ResiduaError, match="cannot download"):
        fetch_published("akamaster:small")
    asked = len(server.asked)
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(ResiduaError, match="offline"):
        fetch_published("akamaster:small")
    assert len(server.asked) == asked


def test_two_at_once_download_it_once(server):
    found = []
    both = [threading.Thread(target=lambda: found.append(fetch_published("akamaster:small"))) for _ in "ab"]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert found[0] == found[1]
    assert found[0].read_bytes() == server.content
    assert len(server.asked) == 1


def test_a_name_says_whether_its_weights_are_here(server):
    (small,) = (one for one in named_weights() if one.name == "akamaster:small")
    assert not small.here
    fetch_published("akamaster:small")
    assert small.here


def test_the_cache_is_torchs():
    code = """
import os, sys
from residua.weights.named import named_weights

def places():
    found = []
    for changes in ({}, {"TORCH_HOME": "~/a"}, {"XDG_CACHE_HOME": "b"}, {"XDG_CACHE_HOME": "c", "TORCH_HOME": "d"}):
        os.environ.pop("TORCH_HOME", None)
        os.environ.pop("XDG_CACHE_HOME", None)
        os.environ.update(changes)
        found.append(str(list(named_weights())[-1].path))
    return found

before = places()
assert "torch" not in sys.modules
import torch
assert places() == before, (places(), before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:resnet5O", "did you mean 'resnet50'"),
        ("torchvision:resnet50@V1", "IMAGENET1K_V1"),
        ("timm:resnet50@a4_in1k", "did you mean"),
        ("chenyaofo:resnet20", "download the file"),
        ("torchvision:", "no weights ''"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UsageError, match=message):
        load_weights(name)


def test_older_weights_have_a_name():
    assert hub._find("torchvision:resnet50")[1].weights == "IMAGENET1K_V2"
    assert hub._find("torchvision:resnet50@IMAGENET1K_V1")[1].file == "resnet50-0676ba61.pth"


def test_a_file_of_such_a_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "timm:mine").write_bytes(b"no checkpoint")
    with pytest.raises(ResiduaError, match="timm:mine is no checkpoint"):
        load_weights("timm:mine")


def test_the_table_is_the_publishers(peers):
    """Addresses and accuracies are those of torchvision's own enumerations."""
    import torchvision

    for name, kinds in TABLE["torchvision"].items():
        theirs = {one.name: one for one in torchvision.models.get_model_weights(name)}
        assert torchvision.models.get_model_weights(name).DEFAULT.name == kinds[0].weights
        for one in kinds:
            weights = theirs[one.weights]
            assert weights.url == f"{SITES['torchvision']}/{one.file}"
            (metrics,) = weights.meta["_metrics"].values()
            assert metrics["acc@1"] == one.top1
            resize = getattr(weights.transforms(), "resize_size", None)
            assert (resize if isinstance(resize, int) else resize[0]) == one.resize


def test_the_table_of_timm_is_timms(peers):
    """Files, and the pixels of the shorter side, are those of timm's own configurations."""
    import timm

    for name, kinds in TABLE["timm"].items():
        for one in kinds:
            theirs = timm.get_pretrained_cfg(f"{name}.{one.weights}")
            assert theirs.url.endswith(f"/releases/download/{one.folder}/{one.file}")
            assert one.resize == int(theirs.input_size[1] / theirs.crop_pct)


@pytest.mark.parametrize("name", sorted({*TABLE["torchvision"], *TABLE["timm"]}))
def test_every_published_network_has_a_name_here(name):
    assert model_spec(name).name == name
