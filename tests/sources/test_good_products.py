"""Which pictures become good products: of data sets as published, and of folders as people nest them."""

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.sources.recognise import source_for
from synthgen.sources.survey import survey

WITH_DEFECTS = {
    "one level too high": "+set/bottle/train/good -set/bottle/test/crack "
    "-set/bottle/test/good #set/bottle/ground_truth/crack",
    "two levels too high": "+a/set/bottle/train/good "
    "-a/set/bottle/test/crack #a/set/bottle/ground_truth/crack",
    "a capital letter": "+bottle/train/Good -bottle/test/Good -bottle/test/Crack #bottle/ground_truth/Crack",
    "all capitals": "+bottle/TRAIN/GOOD -bottle/TEST/CRACK #bottle/GROUND_TRUTH/CRACK",
    "pictures in train": "?train -test/crack #ground_truth/crack",
    "pictures in train and test": "?train ?test",
    "good, crack, mask": "+good -crack #mask",
    "OK and NG": "+OK -NG",
    "i.O. and n.i.O.": "+IO -NIO",
    "Gut und Schlecht": "+gut -schlecht",
    "pass and fail": "+PASS -FAIL",
    "good and unheard-of": "+good -Xqz -Pr",
    "good_parts and bad_parts": "+good_parts -bad_parts",
    "normal and abnormal": "+normal -abnormal",
    "not good": "+good -not_good",
    "Chinese": "+良品 -不良品",
    "Japanese": "+正常 -異常",
    "Korean": "+정상 -불량",
    "VisA without its table": "+candle/Data/Images/Normal "
    "-candle/Data/Images/Anomaly #candle/Data/Masks/Anomaly",
    "MVTec AD 2": "-can/test_public/good -can/test_public/bad "
    "#can/test_public/ground_truth/bad -can/validation/good +can/Train/good",
    "MVTec LOCO in other words": "+juice/Train/good -juice/validation/good "
    "-juice/test/logical_anomalies #juice/ground_truth/x/000",
    "MVTec 3D": "+bagel/training/good/rgb #bagel/training/good/gt -bagel/test/hole/rgb #bagel/test/hole/gt",
    "Real-IAD": "+audiojack/OK/S0001 -audiojack/NG/AK/S0031 -audiojack/NG/BX/S0100",
    "AITEX": "+NODefect_images/2306881-210020u -Defect_images #Mask_images",
    "casting": "+train/ok_front -train/def_front -test/ok_front -test/def_front",
    "magnetic tiles": "+MT_Free/Imgs -MT_Blowhole/Imgs -MT_Break/Imgs -MT_Uneven/Imgs",
    "DAGM": "?Class1/Train #Class1/Train/Label ?Class1/Test #Class1/Test/Label",
    "HRIPCB": "-images/Missing_hole -images/Mouse_bite -images/Open_circuit -images/Short #Annotations/Short",
    "Severstal": "?train_images ?test_images",
    "SDNET": "-D/Cracked +D/Uncracked",
    "concrete": "?Positive ?Negative",
    "GC10 in words": "-crease -punching_hole -welding_line -water_spot",
    "cut and fold": "?sheet -cut -fold",
    "Mendeley tiles": "-scratched_tiles -cracked_tiles +defect_free",
    "crack free": "+crackfree -cracks",
    "undamaged": "+undamaged -damaged",
    "labels by name": "?images #labels",
    "segmentation": "?JPEGImages #SegmentationClass",
    "masks beside days": "?2024-01-05 #2024-01-05_masks",
    "deep defects": "?a/b/c -a/b/c/d/defects/e",
    "deep masks": "?line1/cam2 #line1/cam2/x/y/GT",
    "defects in good": "+good/a -good/scratch",
    "good in defects": "-defects/good ?parts",
    "a validation folder": "?parts ?val",
    "heatmaps": "?parts -parts/heatmaps",
    "archive of a data set": "+archive/wood/train/good "
    "-archive/wood/test/scratch #archive/wood/ground_truth/scratch",
    "Spanish": "+bueno -malo",
    "French": "+bon -mauvais",
    "Russian": "+годные -брак",
    "anomalies": "+free -anomalies",
    "rejected": "+accepted -rejected",
    "fruit": "+fresh -rotten",
    "plants": "+healthy -diseased",
    "MSD": "+good -oil -scratch -stain #ground_truth_1",
    "lemons": "+good_quality -bad_quality",
    "non-cracked": "+non_crack -crack",
    "wood": "?images1 #SemanticMaps",
    "screens": "+normal -mura -line_gap",
}
"""Folders by what lies in them: + good products for training, - no such, # masks, ? what nobody can know."""

GOOD_ALONE = {
    "flat": ".",
    "by day": "2024-01-05 2024-01-06 2024-02-01",
    "by day, in numbers": "2024/01/05 2024/01/06",
    "by camera": "cam0 cam1 cam2",
    "by camera, with its name": "camera_left camera_right",
    "by side": "top bottom",
    "by line and shift": "line1/night line1/day line2/day",
    "by batch": "batch_001 batch_002",
    "by lot": "LOT-4711 LOT-4712",
    "by product": "bolts nuts washers",
    "by part number": "A100-33 B200-17",
    "by station": "station_3/2024-05-01",
    "in images": "images",
    "in pictures, by product": "bolts/images nuts/images",
    "flat and nested": ". more",
    "by a week": "KW12 KW13",
    "by a person": "mueller schmidt",
    "by a test bench": "test_bench_3 test_bench_4",
    "in a project about defects": "defect_detection/line1 defect_detection/line2",
    "in good": "good",
    "in ok, by day": "2024-01-05/ok 2024-01-06/ok",
    "by product in good": "bolt/good nut/good",
    "by colour": "red green blue",
    "by time": "08-30-00 09-30-00",
    "by light": "bright dark backlight",
    "by resolution": "full half",
    "by customer": "acme/run1 acme/run2",
    "by fabric": "cotton linen",
    "with spaces": "Kamera 1/Charge 7",
    "by machine": "M01/S1 M02/S1",
    "by view": "front back left right",
    "raw": "raw",
    "backup": "backup/2023",
    "by month": "jan feb mar",
    "in Chinese": "相机一 相机二",
    "in good and more": "goods/pallet1 goods/pallet2",
}
"""Folders that hold good products alone; all are taken, without a flag."""


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 200, (16, 16), np.uint8)


def mask() -> np.ndarray:
    drawn = np.zeros((16, 16), np.uint8)
    drawn[4:9, 5:11] = 255
    return drawn


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def fill(root: Path, folders: str) -> tuple[set[str], int]:
    """Make three pictures in each folder; the paths of good products, and how many pictures there are."""
    good: set[str] = set()
    count = 0
    for kind, folder in ((each[0], each[1:]) for each in folders.split()):
        for number in range(3):
            name = f"{folder}/{number:03d}.png"
            save(root / name, mask() if kind == "#" else picture(count))
            count += 1
            if kind == "+":
                good.add(name)
    return good, count


def taken(root: Path) -> set[str] | None:
    """The paths that become normal images; None where the folder is refused."""
    try:
        source = source_for(str(root))
        return {image.path for image in survey(source, "native", "whole", "skip").images}
    except InputError:
        return None


@pytest.mark.parametrize("name", WITH_DEFECTS)
def test_no_defect_and_no_mask_becomes_a_good_product(name: str, tmp_path: Path) -> None:
    good, _ = fill(tmp_path / "set", WITH_DEFECTS[name])
    found = taken(tmp_path / "set")
    assert found is None if not good else found == good


@pytest.mark.parametrize("name", GOOD_ALONE)
def test_folders_of_good_products_are_taken_without_a_flag(name: str, tmp_path: Path) -> None:
    separator = "/" if "Charge" in GOOD_ALONE[name] else " "
    folders = [GOOD_ALONE[name]] if separator == "/" else GOOD_ALONE[name].split()
    paths = {f"{folder}/{number}.png".removeprefix("./") for folder in folders for number in range(3)}
    for number, path in enumerate(sorted(paths)):
        save(tmp_path / "set" / path, picture(number))
    assert taken(tmp_path / "set") == paths


HABITS = [
    "crack",
    "NG",
    "Defects",
    "mask",
    "GroundTruth",
    "test/broken",
    "bad_parts",
    "labels",
    "anomaly",
    "Fehler",
]
NEUTRAL = ["a", "2024", "cam1", "line 2", "bolt", "images", "Données", "x-7", "KW3", "left"]
GOOD = ["good", "OK", "train/good", "Normal"]


@pytest.mark.parametrize("seed", range(150))
def test_whatever_the_names_and_the_depth(seed: int, tmp_path: Path) -> None:
    """No picture below a folder with a name for defects or masks is taken, wherever it stands in a tree."""
    draw = random.Random(seed)
    wrong = set()
    for number in range(draw.randint(2, 6)):
        parts = draw.choices(NEUTRAL, k=draw.randint(0, 3))
        if draw.random() < 0.4:
            parts.insert(draw.randint(0, len(parts)), draw.choice(GOOD))
        is_wrong = number == 0 or draw.random() < 0.4
        if is_wrong:
            parts.insert(draw.randint(0, len(parts)), draw.choice(HABITS))
        path = "/".join([*parts, f"{number:03d}.{draw.choice(('png', 'bmp', 'tif'))}"])
        save(tmp_path / "set" / path, picture(number))
        if is_wrong:
            wrong.add(path)
    found = taken(tmp_path / "set")
    assert found is None or not found & wrong
