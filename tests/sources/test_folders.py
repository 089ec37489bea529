"""The source ``folders``, and what makes it or a plain folder refuse."""

from pathlib import Path

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.images import png
from synthgen.images.own import is_marked, marked
from synthgen.sources.base import TestImage
from synthgen.sources.content import could_be_a_mask, looks_like_a_mask
from synthgen.sources.folder import FolderSource
from synthgen.sources.folders import FoldersSource
from synthgen.sources.habits import Role, folder_role
from synthgen.sources.mask_names import pair
from synthgen.sources.recognise import source_for
from synthgen.sources.survey import survey
from tests.sources.roots import build
from tests.sources.test_good_products import fill, mask, picture, save

PUBLISHED_CATEGORIES = (
    "bottle cable capsule carpet grid hazelnut leather metal_nut pill screw tile toothbrush transistor wood "
    "zipper candle capsules cashew chewinggum fryum macaroni1 macaroni2 pcb1 pcb2 pipe_fryum bracket_black "
    "connector metal_plate tubes 01 can fabric fruit_jelly rice sheet_metal vial wallplugs walnuts audiojack "
    "bottle_cap button_battery end_cap eraser fire_hood mint mounts phone_battery plastic_nut porcelain_doll "
    "regulator rolled_strip_base sim_card_set switch tape terminalblock toy_brick u_block usb_adaptor vcpill "
    "wooden_beads woodstick breakfast_box juice_bottle pushpins screw_bag splicing_connectors bagel "
    "cable_gland carrot cookie dowel foam peach potato rope tire "
)
"""Of MVTec AD, LOCO, 3D and AD 2, VisA, MPDD, BTAD and Real-IAD."""


def listed(source: FoldersSource | FolderSource) -> list[str]:
    return [entry.path for entry in source.entries()]


@pytest.mark.parametrize("name", PUBLISHED_CATEGORIES.split())
def test_a_published_category_is_called_neither_good_nor_a_defect(name: str) -> None:
    assert folder_role(name) is Role.OTHER


def test_products_and_their_tests(tmp_path: Path) -> None:
    build(
        tmp_path / "set",
        *(f"{product}/ok/cam1/{n}.png" for product in ("bolt", "nut") for n in range(10)),
        "bolt/crack/a.png",
        "bolt/NG/dent/b.png",
        "bolt/mask/a_mask.png",
        "nut/Xqz/a.png",
        "readme.png",
    )
    source = source_for(str(tmp_path / "set"))
    assert isinstance(source, FoldersSource)
    assert {entry.category for entry in source.entries()} == {"bolt", "nut"}
    assert len(source.entries()) == 20
    fitted = {entry.path for entry in source.fit_entries()}
    bolt, nut = source.tests("bolt"), source.tests("nut")
    judged = {image.path for image in (*bolt, *nut) if not image.anomalous}
    assert len(judged) == 4  # a fifth of ten, of each product
    assert fitted | judged == {entry.path for entry in source.entries()}
    assert not fitted & judged
    assert [image for image in bolt if image.anomalous] == [
        TestImage("bolt/NG/dent/b.png", "NG/dent", True, None, paired=False),
        TestImage("bolt/crack/a.png", "crack", True, "bolt/mask/a_mask.png"),
    ]
    assert [image for image in nut if image.anomalous] == [
        TestImage("nut/Xqz/a.png", "Xqz", True, None, paired=False)
    ]
    assert source_for(str(tmp_path / "set"), ["nut"]).entries() == source.entries()[10:]


def test_good_test_images_are_judged_by_and_never_fitted_on(tmp_path: Path) -> None:
    fill(tmp_path / "set", "+Train/OK -Test/OK -Test/NG -Train/NG")
    source = FoldersSource(path=str(tmp_path / "set"))
    assert source.fit_entries() == source.entries()
    assert {image.path.rpartition("/")[0] for image in source.tests("set")} == {"Test/OK", "Test/NG"}


def test_chosen_by_name_and_by_glob(tmp_path: Path) -> None:
    fill(tmp_path / "set", "-fine/a -coarse/b -sheets/c/test")
    root = str(tmp_path / "set")
    assert listed(FoldersSource(path=root, normal=["Fine"])) == [f"fine/a/00{n}.png" for n in range(3)]
    assert len(listed(FoldersSource(path=root, normal=["fine", "coarse"]))) == 6
    assert listed(FoldersSource(path=root, normal=["*/b/*1.png"])) == ["coarse/b/001.png"]
    assert len(listed(FoldersSource(path=root, normal=["sheets/c"]))) == 3  # tests, but named
    assert len(listed(FoldersSource(path=root, normal=["**/*"]))) == 9
    with pytest.raises(InputError, match=r"no picture in a folder called other; there are coarse/b \(3\), "):
        FoldersSource(path=root, normal=["other"]).entries()


def test_masks_by_a_name_of_ones_own(tmp_path: Path) -> None:
    build(tmp_path / "set", "good/0.png", "good/1.png", "cut/7.png", "where/7.png", "where/0.png")
    named = FoldersSource(path=str(tmp_path / "set"), masks="where")
    assert TestImage("cut/7.png", "cut", True, "where/7.png") in named.tests("set")
    assert len([image for image in named.tests("set") if image.anomalous]) == 1


def test_masks_beside_jpegs_of_the_same_name(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"set/MT_Free/Imgs/{number}.jpg", picture(number))
        save(tmp_path / f"set/MT_Free/Imgs/{number}.png", np.zeros((16, 16), np.uint8))
        save(tmp_path / f"set/MT_Fray/Imgs/f{number}.jpg", picture(number))
        save(tmp_path / f"set/MT_Fray/Imgs/f{number}.png", mask())
    source = FoldersSource(path=str(tmp_path / "set"))
    assert listed(source) == [f"MT_Free/Imgs/{number}.jpg" for number in range(4)]
    defects = [image for image in source.tests("set") if image.anomalous]
    assert defects[0] == TestImage("MT_Fray/Imgs/f0.jpg", "MT_Fray", True, "MT_Fray/Imgs/f0.png")
    assert len(defects) == 4


def test_a_camera_may_keep_two_formats_of_a_picture(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"set/{number}.jpg", picture(number))
        save(tmp_path / f"set/{number}.png", picture(number))
    assert len(listed(FolderSource(path=str(tmp_path / "set")))) == 6
    save(tmp_path / "set/1.png", mask())
    with pytest.raises(InputError, match=r"1\.png looks like a mask of the picture beside it"):
        FolderSource(path=str(tmp_path / "set")).entries()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "0.xml",
            "<annotation><object><name>dent</name><bndbox><xmin>1</xmin></bndbox></object></annotation>",
        ),
        ("0.json", '{"version": "5", "shapes": [{"label": "dent", "points": []}]}'),
        ("labels.json", '{"images": [], "annotations": []}'),
        ("train.csv", "ImageId,ClassId,EncodedPixels\n0.png,1,3 4\n"),
        ("parts.csv", "file;defect;operator\n0.png;1;me\n"),
        ("0.txt", "0 0.51 0.5 0.1 0.12\n1 0.2 0.3 0.1 0.1\n"),
        ("lable/0.txt", "466 441 493 470 3\n"),
    ],
)
def test_labels_beside_the_pictures_are_refused(name: str, content: str, tmp_path: Path) -> None:
    save(tmp_path / "set/0.png", picture(0))
    (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "set" / name).write_text(content)
    with pytest.raises(InputError, match=f"{name} looks like labels of defects; give a folder of good"):
        FolderSource(path=str(tmp_path / "set")).entries()
    assert FolderSource(path=str(tmp_path / "set"), pattern="*").entries()


@pytest.mark.parametrize(
    "name", ["groundTruth/0.mat", "1st_manual_mask/0.gif", "0_label.npy", "Annotations/0.xml"]
)
def test_masks_and_labels_of_any_format_are_refused_by_their_names(name: str, tmp_path: Path) -> None:
    save(tmp_path / "set/images/0.png", picture(0))
    build(tmp_path / "set", name)
    with pytest.raises(InputError, match=f"{name} looks like labels of defects"):
        source_for(str(tmp_path / "set")).entries()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("0.xml", "<camera><exposure>3</exposure></camera>"),
        ("0.json", '{"exposure": 3}'),
        ("log.csv", "time,exposure,operator\n1,2,3\n"),
        ("0.txt", "taken by camera 2, at 12 0.5"),
        ("readme.txt", "good parts; no label, no defect"),
    ],
)
def test_other_notes_are_welcome(name: str, content: str, tmp_path: Path) -> None:
    save(tmp_path / "set/0.png", picture(0))
    (tmp_path / "set" / name).write_text(content)
    assert listed(FolderSource(path=str(tmp_path / "set"))) == ["0.png"]


@pytest.mark.parametrize(
    "below",
    ["test", "test/crack", "ground_truth", "ground_truth/crack", "test/Xqz", "NG", "Bad_Parts", "masks"],
)
def test_a_folder_called_tests_defects_or_masks_is_refused(below: str, tmp_path: Path) -> None:
    save(tmp_path / "bottle/train/good/0.png", picture(0))
    save(tmp_path / "bottle" / below / "0.png", picture(1))
    with pytest.raises(
        InputError, match=r"(is called|lies in a folder called) .*and good products are expected"
    ):
        source_for(str(tmp_path / "bottle" / below)).entries()
    assert source_for(str(tmp_path / "bottle" / below), normal=["**/*"]).entries()


def test_pictures_may_be_kept_somewhere_below_a_folder_called_test(tmp_path: Path) -> None:
    save(tmp_path / "test/parts/0.png", picture(0))
    assert source_for(str(tmp_path / "test/parts")).entries()
    save(tmp_path / "bottle/test/good/0.png", picture(0))
    save(tmp_path / "bottle/train/good/0.png", picture(0))
    assert source_for(str(tmp_path / "bottle/test/good")).entries()


def test_the_sentence_says_what_was_seen_and_what_to_write(tmp_path: Path) -> None:
    fill(tmp_path / "set", "?a ?test #x/masks -y/crack")
    with pytest.raises(InputError) as refused:
        source_for(str(tmp_path / "set")).entries()
    said = str(refused.value)
    assert "test images by their names in test (3); masks by their names in x/masks (3); defects by" in said
    assert "or say which are good by --normal" in said
    assert "\n" not in said


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    fill(tmp_path / "set", "+good -crack #mask")
    seen = source_for(str(tmp_path / "set")).seen()
    assert "good products are those in good (3); left out as defects, masks or test images: " in seen
    assert "crack (3), mask (3)" in seen
    fill(tmp_path / "alone", "+good/a +good/b")
    assert source_for(str(tmp_path / "alone")).seen() == ""


def test_a_mask_under_an_unheard_of_name_is_found_by_its_content(tmp_path: Path) -> None:
    fill(tmp_path / "set", "?a #b")
    source = FolderSource(path=str(tmp_path / "set"))
    with pytest.raises(InputError, match=r"b/000\.png looks like a mask.*, and 2 more do; good products are"):
        survey(source, "native", "whole", "skip")
    assert len(survey(source.model_copy(update={"pattern": "**"}), "native", "whole", "skip").images) == 6


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (0, 1, 2, 7), (0, 255, 128)])
def test_few_values_with_0_look_like_a_mask(values: tuple[int, ...]) -> None:
    drawn = np.resize(np.array(values, np.uint8), (32, 32))[..., None]
    assert looks_like_a_mask(drawn)
    assert looks_like_a_mask(np.repeat(drawn, 3, axis=2))
    assert could_be_a_mask(drawn)


def test_other_pictures_do_not() -> None:
    black = np.zeros((32, 32, 1), np.uint8)
    assert not looks_like_a_mask(black)
    assert could_be_a_mask(black)
    two = black.copy()
    two[3:9, 4:7] = 128
    coloured = np.repeat(black, 3, axis=2)
    coloured[3:9, 4:7, 0] = 255
    for pixels in (two, two + 100, coloured, picture(0)[..., None], np.full((32, 32, 1), 255, np.uint8)):
        assert not could_be_a_mask(pixels)


def test_our_own_pictures_are_left_out_whatever_they_are_called(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"set/{number}.png", picture(number))
    ours = marked(png.encode(picture(7)))
    for name in ("sheet.png", "replay/0.mask.png", "report/bottle/crack-01.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(ours)
    found = survey(FolderSource(path=str(tmp_path / "set")), "native", "whole", "fail")
    assert [image.path for image in found.images] == ["0.png", "1.png", "2.png"]
    assert [file.path for file in found.rejected] == ["sheet.png"]
    assert "synthgen drew" in found.rejected[0].reason


def test_the_mark_changes_no_pixel() -> None:
    import cv2

    data = png.encode(picture(3))
    assert not is_marked(data)
    assert is_marked(marked(data))
    assert np.array_equal(cv2.imdecode(np.frombuffer(marked(data), np.uint8), 0), picture(3))


def test_a_category_of_defects_in_a_known_layout_is_refused(tmp_path: Path) -> None:
    build(tmp_path / "set", "images/train/good/0.png", "labels/train/good/0.png")
    with pytest.raises(InputError, match="its name speaks of masks; choose categories"):
        source_for(str(tmp_path / "set")).entries()
    assert source_for(str(tmp_path / "set"), ["images"]).entries()
    build(tmp_path / "other", "a/train/good/0.png", "a/train/good/scratch/1.png")
    with pytest.raises(InputError, match="its name speaks of defects"):
        source_for(str(tmp_path / "other")).entries()


def test_masks_are_paired_by_name_and_type() -> None:
    defects = {"a/1.png": "a", "b/1.png": "b", "b/2.jpg": "b"}
    assert pair(defects, {"gt/a/1_mask.png": "a", "gt/b/mask_1.png": "b", "gt/2.png": ""}, "set") == {
        "a/1.png": "gt/a/1_mask.png",
        "b/1.png": "gt/b/mask_1.png",
        "b/2.jpg": "gt/2.png",
    }
    assert pair(defects, {"gt/1.png": ""}, "set") == {}  # of which of the two?
    with pytest.raises(InputError, match="masks of one image"):
        pair(defects, {"gt/2.png": "", "gt/2_mask.png": ""}, "set")


def test_pictures_beside_a_folder_of_masks_may_show_defects(tmp_path: Path) -> None:
    fill(tmp_path / "set", "?JPEGImages ?parts #SegmentationClass")
    with pytest.raises(InputError, match="lies beside SegmentationClass, a name for masks"):
        source_for(str(tmp_path / "set/JPEGImages")).entries()
    assert source_for(str(tmp_path / "set/parts")).entries()  # the masks may be those of the product
    assert source_for(str(tmp_path / "set/JPEGImages"), normal=["*"]).entries()


@pytest.mark.parametrize(
    ("name", "content"),
    [("labels.csv", "images/000.png  1.0  mono\n"), ("truth.csv", "file,defect\n000.png,1\n")],
)
def test_labels_above_the_folder_that_name_its_pictures(name: str, content: str, tmp_path: Path) -> None:
    fill(tmp_path / "set", "?images")
    (tmp_path / "set" / name).write_text(content)
    for folder in ("set", "set/images"):
        with pytest.raises(InputError, match=f"{name} looks like labels of defects"):
            source_for(str(tmp_path / folder)).entries()
    (tmp_path / "set" / name).write_text(content.replace("000", "999"))
    assert source_for(str(tmp_path / "set/images")).entries()  # of other pictures


def test_a_folder_of_label_files_is_refused_whatever_is_in_them(tmp_path: Path) -> None:
    fill(tmp_path / "set", "?images/train")
    (tmp_path / "set/labels/train").mkdir(parents=True)
    (tmp_path / "set/labels/train/000.txt").write_text("")
    with pytest.raises(InputError, match=r"labels/train/000\.txt looks like labels of defects"):
        source_for(str(tmp_path / "set")).entries()


def test_products_of_like_names_stay_apart(tmp_path: Path) -> None:
    fill(tmp_path / "set", "+bolt/hex/good +bolt_hex/good")
    categories = {entry.category for entry in source_for(str(tmp_path / "set")).entries()}
    assert categories == {"bolt/hex", "bolt_hex"}


def test_numbered_folders_side_by_side_need_not_belong_together(tmp_path: Path) -> None:
    """As temporary folders are."""
    fill(tmp_path, "?masks0/parts ?good0/x ?test1/parts ?train/x")
    for name in ("masks0/parts", "test1/parts"):
        assert len(source_for(str(tmp_path / name)).entries()) == 3
