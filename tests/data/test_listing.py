import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.data.listing import list_folder, listed
from residua.errors import ResiduaError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_classes_are_folders_and_images_lie_at_any_depth(tmp_path: Path) -> None:
    root = touch(tmp_path, "dog/b.JPG", "dog/deep/er/a.png", "cat/1.jpeg", "cat/0.webp", "loose.png")
    listing = list_folder(root)
    assert listing.classes == ("cat", "dog")
    files = listing.parts["train"]
    assert files.paths == ("cat/0.webp", "cat/1.jpeg", "dog/b.JPG", "dog/deep/er/a.png")
    assert files.classes == ("cat", "cat", "dog", "dog")


def test_what_is_no_image_is_ignored(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "a/1.png", "a/notes.txt", "a/.DS_Store", "a/._1.png", "a/.cache/2.png", "a/noend", "b/1.png",
        ".git/x.png", "__MACOSX/a/1.png", "README.md",
    )  # fmt: skip
    assert list_folder(root).parts["train"].paths == ("a/1.png", "b/1.png")


def test_every_other_file_is_named_with_the_reason(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "a/1.png", "a/notes.txt", "a/.DS_Store", "a/.cache/2.png", "b/1.png", "c/x.pdf", ".git/x",
        "loose.png", "README.md",
    )  # fmt: skip
    (root / "a" / "more").symlink_to(root / "b", target_is_directory=True)
    (root / "empty").mkdir()
    assert dict(list_folder(root).left_out) == {
        ".git/": "hidden",
        "README.md": "no image, by its name",
        "a/.DS_Store": "hidden",
        "a/.cache/": "hidden",
        "a/more/": "a link to a folder",
        "a/notes.txt": "no image, by its name",
        "c/": "a class folder without any image",
        "c/x.pdf": "no image, by its name",
        "empty/": "a class folder without any image",
        "loose.png": "in no class folder",
    }


def test_what_lies_beside_the_parts_is_no_class(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "notes/x.png")
    listing = list_folder(root)
    assert set(listing.parts) == {"train", "test"} and listing.left_out == {"notes/": "beside train/"}


def test_folders_called_as_parts_that_hold_photos_are_classes(tmp_path: Path) -> None:
    listing = list_folder(touch(tmp_path, "train/1.png", "test/1.png", "bus/1.png"))
    assert listing.classes == ("bus", "test", "train")


SOME_NAME = st.sampled_from(
    ["a", "b", "train", "test", ".hidden", "__MACOSX", "1.png", "2.JPG", "x.txt", "no end", "é.png"]
)


@settings(max_examples=40)
@given(st.lists(st.lists(SOME_NAME, min_size=1, max_size=4).map("/".join), max_size=12))
def test_any_folder_is_accounted_for_or_refused_in_one_line(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name in names:
            with suppress(OSError):  # a file where another name wants a folder
                touch(root, name)
        try:
            listing = listed(root)
        except ResiduaError as refused:
            assert "\n" not in str(refused)
            return
        read, left_out = set(listing.paths), listing.left_out
        assert not read & set(left_out) and len(read) == len(listing.paths)
        for path in (path for path in root.rglob("*") if path.is_file()):
            name = path.relative_to(root).as_posix()
            folders = [f"{above.as_posix()}/" for above in Path(name).parents]
            assert name in read or name in left_out or any(above in left_out for above in folders)


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train", "test"), {"train", "test"}),
        (("Training", "Validation", "testing"), {"train", "val", "test"}),
        (("train",), {"train"}),
    ],
)
def test_parts_are_found_by_their_usual_names(
    folders: tuple[str, ...], parts: set[str], tmp_path: Path
) -> None:
    listing = list_folder(touch(tmp_path, *(f"{folder}/{c}/1.png" for folder in folders for c in "ab")))
    assert set(listing.parts) == parts and listing.classes == ("a", "b")
    assert listing.parts["train"].where == f"{folders[0]}/"


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    listing = list_folder(touch(tmp_path, "train/1.png", "car/1.png"))
    assert listing.classes == ("car", "train") and set(listing.parts) == {"train"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "0 class folders"),
        (("1.png", "2.png"), "0 class folders"),
        (("a/1.png",), "1 class folders"),
        (("a/1.png", "b/1.txt"), "1 class folders with images.*; b/ holds none"),
        (("train/a/1.png", "train/b/1.png", "test/c/1.png"), "class 'c', which the training part lacks"),
        (("train/a/1.png", "val/a/1.png", "valid/a/1.png"), "both val/ and valid/"),
        (("val/a/1.png", "test/a/1.png"), "no train/"),
    ],
)
def test_a_folder_that_is_no_set_is_one_line(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(ResiduaError, match=message) as refused:
        list_folder(touch(tmp_path, *names))
    assert "\n" not in str(refused.value) and str(tmp_path) in str(refused.value)


def test_links_to_class_folders_count_and_loops_are_harmless(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/1.png", "set/a/1.png", "set/a/deep/2.png")
    root = tmp_path / "set"
    (root / "b").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "above").symlink_to(tmp_path, target_is_directory=True)
    (root / "a/deep/back").symlink_to(root, target_is_directory=True)
    (root / "a/self").symlink_to(root / "a/self")
    (root / "nowhere").symlink_to(tmp_path / "nowhere")
    assert list_folder(root).parts["train"].paths == ("a/1.png", "a/deep/2.png", "b/1.png")


def test_names_may_be_of_any_script_or_of_none(tmp_path: Path) -> None:
    root = touch(tmp_path, "猫/图 1.png", "śmieć/🐈.jpg", "a:b/c=d.png")
    assert list_folder(root).classes == ("a:b", "śmieć", "猫")
    name = os.fsencode(tmp_path / "śmieć") + b"/\xff\xfe.png"
    try:
        Path(os.fsdecode(name)).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no names that are not Unicode")
    assert len(list_folder(root).parts["train"].paths) == 4


def test_names_that_are_no_text_are_replaced_but_never_two_classes_by_one(tmp_path: Path) -> None:
    root = touch(tmp_path, "plain/1.png", os.fsdecode(b"\xff/1.png"))
    assert list_folder(root).classes == ("plain", "\ufffd")
    with pytest.raises(ResiduaError, match="two folders that both read"):
        list_folder(touch(root, os.fsdecode(b"\xfe/1.png")))


def test_links_that_turn_in_a_circle_are_no_classes(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1.png", "b/1.png")
    (root / "a" / "up").symlink_to("..")
    (root / "b" / "itself.png").symlink_to("itself.png")
    files = list_folder(root).parts["train"]
    assert files.paths == ("a/1.png", "b/1.png", "b/itself.png")  # the last one is skipped when it is read
    (root / "x").symlink_to("y")
    (root / "y").symlink_to("x")
    with pytest.raises(ResiduaError, match=r"cannot read .*/x: Too many levels of symbolic links"):
        list_folder(root)


def test_the_longest_names_and_line_breaks_are_names_like_others(tmp_path: Path) -> None:
    longest, broken = "n" * 251 + ".png", "line\nbreak\x1b[2J.png"
    listing = list_folder(touch(tmp_path, f"a/{longest}", f"a/{broken}", f"{'c' * 255}/1.png"))
    assert set(listing.parts["train"].paths) == {f"a/{longest}", f"a/{broken}", f"{'c' * 255}/1.png"}


def test_folders_deeper_than_the_system_allows_are_one_line(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png")
    here = os.open(tmp_path / "a", os.O_RDONLY)
    for _ in range(20):  # 5,100 characters, made a step at a time
        os.mkdir("d" * 255, dir_fd=here)
        below = os.open("d" * 255, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(ResiduaError, match=r"cannot read .*: File name too long"):
        list_folder(tmp_path)
