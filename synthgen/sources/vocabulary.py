"""The words that people call good products, defects, masks and test images by; all in lower case."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NORMAL: Final = _words(
    """
    good goods ok okay okays normal normals healthy intact nominal conforming flawless
    buono buoni bueno buenos dobry
    """
)
"""Good products, wherever the word stands in a name."""

NORMAL_NAMES: Final = _words(
    "pass passed fine clean free perfect accept accepted fresh gut io bon bons bom goed"
)
"""Good products, where no other word of more than two letters is in the name."""

DEFECT: Final = _words(
    """
    bad bads ng ngs nok nio ko kos defect defects defective defectives def anomaly anomalies anomalous
    abnormal abnormals abnormality abnormalities outlier outliers fault faults faulty fail failed fails
    failure failures reject rejects rejected scrap scraps flaw flaws flawed damage damages damaged imperfect
    impaired nonconforming crack cracks cracked cracking scratch scratches scratched broken breakage
    breakages dent dents dented contamination contaminations contaminated corrosion corroded rust rusty stain
    stains stained blister blisters blowhole blowholes porosity deformation deformed chipped crazing
    inclusion inclusions spalling delamination burr burrs fray frayed misplaced misaligned bruise bruised
    rotten rot mold moldy mould mouldy spoiled diseased disease infected leak leaks leaking burnt burned
    melted torn ripped wrinkle wrinkles wrinkled warped pinhole pinholes shrinkage spatter abrasion gouge
    gouges creased discolored discoloured deformities deformity
    fehler fehlerhaft defekt defekte ausschuss schlecht riss risse kratzer mauvais defaut defauts difettoso
    difetto malo malos defecto defectos
    heatmap heatmaps overlay overlays
    """
)
"""Defects, wherever the word stands in a name, and pictures on which they are drawn."""

DEFECT_NAMES: Final = _words(
    """
    break breaks hole holes cut cuts bent bend bends poke fold folds glue rough print thread squeeze missing
    missing_wire missing_hole spot spots chip chips tear tears pit pits pitted pitting bubble bubbles patches
    short shorts open spur misprint combined gray_stroke oil liquid thread_top thread_side scuff wear worn
    knot knots pressed rolled_in_scale rolled punching weld_line water_spot oil_spot silk_spot crease
    rolled_pit waist_folding uneven positive positives negative negatives wrong swap manipulated_front
    scratch_head split fabric_border fabric_interior misoriented flip cable_swap peel peeled void voids
    smudge smudges dirt dirty dust foreign fiber fibre bite mouse_bite discoloration discolouration
    """
)
"""Defects, where the word or words are all that a folder is called; positive and negative may be either."""

ANY_DEFECT: Final = _words(
    """
    bad bads ng ngs nok nio ko kos defect defects defective defectives anomaly anomalies anomalous abnormal
    fault faults faulty fail failed reject rejects rejected not ok no good real
    """
)
"""Words of a name that says that there is a defect, and not which."""

MASK: Final = _words(
    """
    mask masks groundtruth gt gts label labels labelled labeled annotation annotations annotated seg segs
    segmentation segmentations segmented semantic bounding bbox bboxes saliency matte mattes roi rois maske
    masken truth truths
    """
)
"""Masks and other marks of where a defect is."""

TEST: Final = _words("test tests testing val vals valid validation eval evaluation query holdout heldout dev")
"""Images that detectors are judged by."""

TRAIN: Final = _words("train trains training fit")
"""Images that detectors learn from."""

NEGATIONS: Final = (
    "no",
    "non",
    "not",
    "without",
    "un",
    "zero",
    "ohne",
    "kein",
    "nicht",
    "sin",
    "sans",
    "senza",
)
"""What denies the word behind it."""

FREE: Final = ("free", "less", "frei")
"""What denies the word before it."""

SAY_NOTHING: Final = _words(
    """
    data image images imgs img pic pics picture pictures photo photos frame frames rgb color colour raw set
    sets all the of and files public private mixed source sources input inputs jpeg jpg png bmp tif tiff
    """
)
"""Words that say nothing about what is in a picture."""

SIZES: Final = _words("large small big little tiny slight severe minor major type kind class")
"""Words that go with those of defects."""

NESTS: Final = _words(
    """
    cam cams camera cameras kamera line linie batch batches charge lot lots los shift schicht day days tag
    date station view views side sides run runs order job part parts week month year morning night lane
    machine left right top bottom front back
    """
)
"""How pictures of one product are nested: by day, camera, batch."""

ABOUT: Final = _words(
    """
    detection detector detectors detect inspection inspections inspect classification recognition analysis
    project projects study challenge benchmark dataset datasets aoi
    """
)
"""Words with which a defect is what a project is about, and not what is in its pictures."""

UNSPACED: Final = {
    "defect": ("不良", "缺陷", "异常", "異常", "瑕疵", "불량", "결함", "брак", "дефект", "欠陥"),
    "mask": ("掩码", "标注", "マスク", "마스크", "маск"),
    "normal": ("良品", "正常", "合格", "양품", "정상", "годн"),
}
"""Parts of names in scripts that do not set words apart, or bend them."""
