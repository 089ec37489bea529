"""Folders and files below a root: order, hidden files, links, and one sentence for everything that fails."""

import errno
import os
from pathlib import Path

import pytest

from synthgen.errors import InputError
from synthgen.storage import walk
from synthgen.storage.listing import formats_note
from synthgen.storage.root import Root, chosen
from tests.permissions import modes_obeyed


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
    touch(tmp_path, "gone.png")
    root = Root(str(tmp_path))
    [path] = root.images()
    (tmp_path / "gone.png").unlink()
    with pytest.raises(OSError, match=r"^gone\.png cannot be read: no such file or directory$"):
        root.read(path)


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


def strays(root: Path | str) -> list[tuple[str, str]]:
    return [tuple(stray) for stray in Root(str(root)).listing().strays]


AROUND = "is a symbolic link to a folder around it"


def test_a_loop_of_links_is_a_stray(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/1.png", "c/2.png")
    (tmp_path / "a" / "b" / "root").symlink_to(tmp_path)
    (tmp_path / "here").symlink_to(".")
    (tmp_path / "top").symlink_to("/")
    assert Root(str(tmp_path)).images() == ["a/b/1.png", "c/2.png"]
    assert strays(tmp_path) == [("a/b/root", AROUND), ("here", AROUND), ("top", AROUND)]


def test_folders_that_link_to_each_other_are_walked_once_in_each_order(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "over").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "over").symlink_to(tmp_path / "a")
    assert Root(str(tmp_path)).images() == ["a/1.png", "a/over/2.png", "b/2.png", "b/over/1.png"]
    assert strays(tmp_path) == [("a/over/over", AROUND), ("b/over/over", AROUND)]


def test_links_are_followed_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / str(number) for number in range(9)]
    for folder in folders:
        folder.mkdir()
    for one in folders:
        for other in folders:
            if one != other:
                (one / f"to-{other.name}").symlink_to(other)
    monkeypatch.setattr(walk, "MAX_LINKS", 100)
    with pytest.raises(InputError, match=r"is one of over 100 links to folders; remove those that lead to"):
        Root(str(tmp_path)).listing()


def test_links_that_lead_nowhere_are_strays(tmp_path: Path) -> None:
    touch(tmp_path, "1.png")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    (tmp_path / "unmounted").symlink_to("/nowhere/at/all")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    levels = "cannot be read: too many levels of symbolic links"
    nothing = "is a symbolic link to nothing"
    assert Root(str(tmp_path)).images() == ["1.png"]
    assert strays(tmp_path) == [
        ("gone.png", nothing),
        ("one", levels),
        ("other", levels),
        ("self", levels),
        ("unmounted", nothing),
    ]


def test_a_link_to_itself_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"loop cannot be read: too many levels of symbolic links"):
        Root(str(tmp_path / "loop")).images()


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


DENIED = "cannot be read: permission denied"


@pytest.mark.parametrize("mode", [0, 0o400])
def test_folders_without_rights_are_strays_and_not_among_the_folders(tmp_path: Path, mode: int) -> None:
    touch(tmp_path, "open/1.png", "open/deep/closed/2.png", "lost+found/3.png")
    for closed in ("open/deep/closed", "lost+found"):
        (tmp_path / closed).chmod(mode)
    with modes_obeyed():
        root = Root(str(tmp_path))
        assert root.images() == ["open/1.png"]
        assert strays(tmp_path) == [("lost+found", DENIED), ("open/deep/closed", DENIED)]
        assert root.folders() == ["open"]
        assert root.folders_and_strays() == (["open"], [("lost+found", DENIED)])
        with pytest.raises(InputError, match=r"lost\+found.* cannot be read: permission denied$"):
            Root(str(tmp_path / "lost+found")).images()
    for closed in ("open/deep/closed", "lost+found"):
        (tmp_path / closed).chmod(0o700)


def test_a_folder_that_vanishes_while_it_is_listed_is_a_stray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1.png", "b/2.png")
    listed = os.scandir

    def vanishing(path: str) -> object:
        if str(path) == str(tmp_path / "a"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert Root(str(tmp_path)).images() == ["b/2.png"]
    assert strays(tmp_path) == [("a", "cannot be read: no such file or directory")]


def test_names_that_are_not_text_are_strays(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "two\nlines.png", "tab\t.png")
    for name in (b"notes \xfc.txt", b"\xff.png", b".hidden \xff"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/day \xe4"))
    touch(folder, "2.png")
    reason = "is not a UTF-8 name; rename it"
    assert Root(str(tmp_path)).images() == ["1.png", "tab\t.png", "two\nlines.png"]
    assert Root(str(tmp_path)).read("two\nlines.png") == b"two\nlines.png"
    assert Root(str(tmp_path)).folders() == []
    assert strays(tmp_path) == [
        ("\\udcff.png", reason),
        ("day \\udce4", reason),
        ("notes \\udcfc.txt", reason),
    ]


def test_special_files_are_strays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)  # a socket's path is short
    os.mkfifo("pipe.png")
    Path("linked").symlink_to("pipe.png")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
        reason = "is neither a file nor a folder"
        assert Root(".").images() == []
        assert strays(".") == [("linked", reason), ("pipe.png", reason), ("socket", reason)]


READ = ("png", "PNG", "jpg", "jpeg", "jpe", "jfif", "bmp", "tif", "tiff", "webp", "pbm", "pgm", "ppm", "pnm")
NAMED = (
    *("gif", "GIF", "heic", "heif", "avif", "svg", "jp2", "jxl", "exr", "hdr", "pcx", "tga", "psd", "npy"),
    *("raw", "dng", "cr2", "cr3", "nef", "arw", "dcm", "nii", "fits", "ico", "apng"),
)
NO_WORD = ("txt", "json", "xml", "csv", "db", "md", "yaml", "zip", "png~", "")


def test_formats_are_read_named_or_no_pictures(tmp_path: Path) -> None:
    every = [f"x.{suffix}" for suffix in (*READ, *NAMED, *NO_WORD)]
    touch(tmp_path, *every, "Thumbs.db", ".DS_Store", ".hidden.gif", "sub/x.gif")
    found = Root(str(tmp_path)).listing()
    assert found.images == sorted(f"x.{suffix}" for suffix in READ)
    assert found.other_formats == sorted(["sub/x.gif", *(f"x.{suffix}" for suffix in NAMED)])
    assert found.strays == []


def test_other_formats_are_counted_in_a_sentence() -> None:
    read = "PNG, JPEG, BMP, TIFF, WebP and PBM/PGM/PPM are read"
    assert formats_note([]) == []
    assert formats_note(["a.gif"]) == [f"1 file of another format was passed over: 1 .gif; {read}"]
    paths = [*(f"{number}.heic" for number in range(6)), *(f"{number}.GIF" for number in range(12))]
    assert formats_note(paths) == [f"18 files of other formats were passed over: 12 .gif, 6 .heic; {read}"]


def test_the_name_of_a_root() -> None:
    assert Root("/data/Böttle no. 7/").name == "B_ttle_no_7"
    assert Root("/").name == "images"
    assert Root("memory://").name == "images"


def test_chosen_names() -> None:
    assert chosen(None, ["b", "a"], "x") == ["a", "b"]
    assert chosen(["b", "a", "b"], ["a", "b", "c"], "x") == ["a", "b"]
    with pytest.raises(InputError, match=r"no category 'botle', only bottle, cable; did you mean bottle\?"):
        chosen(["botle"], ["cable", "bottle"], "x")
