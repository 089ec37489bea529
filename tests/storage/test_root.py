"""Folders and files below a root: order, hidden files, links, and one sentence for everything that fails."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from synthgen.errors import InputError
from synthgen.storage.root import Root, chosen


def touch(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())


def test_images_are_sorted_by_code_points_and_hidden_ones_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "B.PNG", "ä.webp", "a/z.tif", "a.jpeg", "a/.x.png", ".h/y.png", "n.txt", "png")
    assert Root(str(tmp_path)).images() == ["B.PNG", "a.jpeg", "a/z.tif", "b.png", "ä.webp"]


def test_the_order_does_not_depend_on_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    touch(tmp_path, *[f"{number % 3}/{number}.png" for number in range(30)])
    expected = Root(str(tmp_path)).images()
    listed = LocalFileSystem.ls
    monkeypatch.setattr(LocalFileSystem, "ls", lambda *args, **kwargs: listed(*args, **kwargs)[::-1])
    assert Root(str(tmp_path)).images() == expected
    assert len(expected) == 30


def test_memory_and_relative_and_local_urls_give_the_same_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_folder: str
) -> None:
    import fsspec

    names = ["x/1.png", "x/2.jpg", "y.bmp"]
    touch(tmp_path / "set", *names)
    for name in names:
        fsspec.filesystem("memory").pipe(f"{memory_folder}/{name}", name.encode())
    monkeypatch.chdir(tmp_path)
    urls = [
        str(tmp_path / "set"),
        "set",
        "set/",
        "./set",
        "set/x/..",
        f"file://{tmp_path}/set",
        memory_folder,
    ]
    for url in urls:
        assert Root(url).images() == names, url
        assert Root(url).read("x/2.jpg") == b"x/2.jpg"
        assert Root(url).glob("x/*.png") == ["x/1.png"], url
    assert Root("set/x/..").name == "set"


def test_reading_is_bounded(tmp_path: Path) -> None:
    touch(tmp_path, "0123456789")
    assert Root(str(tmp_path)).read("0123456789", start=3, limit=4) == b"3456"


def test_files_are_read_whole_or_by_a_piece_or_are_not_there(tmp_path: Path, memory_folder: str) -> None:
    import fsspec

    touch(tmp_path, "0123456789", ".hidden")
    for name in ("0123456789", ".hidden"):
        fsspec.filesystem("memory").pipe(f"{memory_folder}/{name}", name.encode())
    for url in (str(tmp_path), memory_folder):
        root = Root(url)
        assert root.names() == [".hidden", "0123456789"]
        assert (root.content("0123456789"), root.content("none")) == (b"0123456789", None)
        assert (root.size("0123456789"), root.size("none")) == (10, None)
        assert (root.piece("0123456789", 3, 4), root.piece("0123456789", 8, 4)) == (b"3456", b"89")
        with pytest.raises(OSError, match=r"^none cannot be read: "):
            root.piece("none", 0, 1)
        with pytest.raises(InputError, match=r"/none does not exist; give something else$"):
            Root(url, "something else").open("none")


@pytest.mark.parametrize("path", ["../secret.png", "a/../../secret.png", "/etc/hostname"])
def test_reading_stays_below_the_root(tmp_path: Path, path: str) -> None:
    touch(tmp_path, "secret.png", "root/a/b.png")
    with pytest.raises(OSError, match="outside"):
        Root(str(tmp_path / "root")).read(path)


def test_a_file_that_cannot_be_read_is_an_oserror_with_its_relative_path(tmp_path: Path) -> None:
    (tmp_path / "broken.png").symlink_to("nowhere.png")
    assert Root(str(tmp_path)).images() == ["broken.png"]
    with pytest.raises(OSError, match=r"^broken\.png cannot be read: no such file or directory$"):
        Root(str(tmp_path)).read("broken.png")


def test_links_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", "1.png", "deep/2.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "3.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    root = Root(str(tmp_path / "root"))
    assert root.images() == ["3.png", "linked/1.png", "linked/deep/2.png"]
    assert root.folders() == ["linked"]
    (tmp_path / "entrance").symlink_to(tmp_path / "root")
    assert len(Root(str(tmp_path / "entrance")).images()) == 3


def link_to_the_root(folder: Path) -> None:
    touch(folder, "a/b/1.png")
    (folder / "a" / "b" / "loop").symlink_to(folder)


def link_above_the_root(folder: Path) -> None:
    (folder / "loop").symlink_to("/")


def links_to_each_other(folder: Path) -> None:
    touch(folder, "a/1.png", "b/2.png")
    (folder / "a" / "loop").symlink_to(folder / "b")
    (folder / "b" / "loop").symlink_to(folder / "a")


@pytest.mark.parametrize("build", [link_to_the_root, link_above_the_root, links_to_each_other])
def test_a_loop_of_links_is_an_error(tmp_path: Path, build: Callable[[Path], None]) -> None:
    build(tmp_path)
    with pytest.raises(InputError, match=r"loop in .* is a symbolic link to a folder around it"):
        Root(str(tmp_path)).images()


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for url in (tmp_path, tmp_path / "loop"):
        with pytest.raises(InputError, match=r"loop cannot be read: too many levels of symbolic links"):
            Root(str(url)).images()


def test_a_missing_path_is_an_error(tmp_path: Path, memory_folder: str) -> None:
    for url in (str(tmp_path / "none"), memory_folder + "/none"):
        with pytest.raises(InputError, match=r"none does not exist"):
            Root(url).require_folder()


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "x.png")
    with pytest.raises(InputError, match="is a file"):
        Root(str(tmp_path / "x.png")).require_folder()


@pytest.mark.parametrize("url", ["nonsense://x/y", "s3://bucket/key"])
def test_a_url_that_cannot_be_opened_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match=f"{url} cannot be read"):
        Root(url)


def test_a_folder_without_permission_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "open/1.png", "closed/2.png")
    closed, scandir = str(tmp_path / "closed"), os.scandir

    def refusing(path: str) -> object:  # the tests may run as root, whom no mode keeps out
        if path == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match=f"^{closed} cannot be read: permission denied$"):
        Root(str(tmp_path)).images()


def test_a_name_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))).write_bytes(b"")
    with pytest.raises(InputError, match=r"'\\udcff\.png' in .* is not a UTF-8 name") as caught:
        Root(str(tmp_path)).images()
    str(caught.value).encode()


def test_special_files_are_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert Root(str(tmp_path)).images() == []


def test_the_name_of_a_root() -> None:
    assert Root("/data/Böttle no. 7/").name == "B_ttle_no_7"
    assert Root("/").name == "images"
    assert Root("memory://").name == "images"


def test_chosen_names() -> None:
    assert chosen(None, ["b", "a"], "x") == ["a", "b"]
    assert chosen(["b", "a", "b"], ["a", "b", "c"], "x") == ["a", "b"]
    with pytest.raises(InputError, match=r"no category 'botle', only bottle, cable; did you mean bottle\?"):
        chosen(["botle"], ["cable", "bottle"], "x")
