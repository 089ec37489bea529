"""What the page says about the recipes' own defects: transfer, detectability, and the samples."""

from collections.abc import Sequence
from functools import partial

from synthgen.validation.page import plots, words
from synthgen.validation.page.content import Cell, Column, Group, Part, Plot, Plots, Section, Table, Terms
from synthgen.validation.report import Abnormal, Bin, Detectability, SetFacts, ValidationReport


def transfer(report: ValidationReport) -> Section | None:
    """What one recipe teaches about the defects of another."""
    found = report.transfer
    if found is None:
        return None
    return Section(
        "Transfer between recipes",
        "Learned from the recipe of the row, judged on what the recipe of the column made of held-out good "
        "products; the stronger the colour, the better. A row of strong colours teaches more than its own "
        "defects; a column of weak ones is hard for all. Framed: judged on new defects of the same recipe.",
        [
            _matrix(found.learned, found.judged, "image AUROC", found.image_auroc, 0.5),
            _matrix(found.learned, found.judged, "pixel AP", found.pixel_ap, 0.0),
        ],
    )


def _matrix(
    learned: Sequence[str],
    judged: Sequence[str],
    measure: str,
    values: Sequence[Sequence[float]],
    lowest: float,
) -> Table:
    rows = [
        [
            Cell(row),
            *(
                Cell(words.number(value), heat=max(0.0, value - lowest) / (1 - lowest), framed=row == column)
                for column, value in zip(judged, cells, strict=True)
            ),
        ]
        for row, cells in zip(learned, values, strict=True)
    ]
    columns = [Column("learned from"), *map(Column, judged)]
    return Table(f"Transfer, {measure}", columns, [Group(measure, rows)])


def detectability(report: ValidationReport) -> Section | None:
    """What is found without having learned from any defect."""
    found = report.detectability
    if not found:
        return None
    saturated = any(each.saturation for each in found)
    rows = [
        [
            Cell(each.recipe, each.detector),
            Cell(words.interval(each.image_auroc)),
            Cell(words.number(each.recall)),
            *([Cell(each.saturation)] if saturated else []),
        ]
        for each in found
    ]
    columns = [
        Column("name and detector"),
        Column("image AUROC"),
        Column("recall"),
        *([Column("remark", words=True)] if saturated else []),
    ]
    parts: list[Part] = [
        Table("What detectors find that know good products alone", columns, [Group("", rows)])
    ]
    if any(bins for each in found for bins in each.by.values()):
        parts += [_recalls(found), _bins(found)]
    return Section(
        "Detectability",
        "How many of a recipe's defects are found by detectors that have only ever seen good products. "
        f"Recall: the share that is found while {words.share(report.false_alarms)} of the good ones raise a "
        "false alarm. Where everything is found, the defects are too easy to teach much; where nothing is, "
        "look whether they can be seen at all.",
        parts,
    )


def _recalls(found: Sequence[Detectability]) -> Plots:
    """A plot for each recipe, one line for each detector."""
    drawn = []
    for position, recipe in enumerate(dict.fromkeys(each.recipe for each in found)):
        of_recipe = [each for each in found if each.recipe == recipe and any(each.by.values())]
        if of_recipe:
            alternative = (
                f"Recall of {recipe} against strength, area and contrast; the numbers are in the table below."
            )
            drawn.append(Plot(recipe, alternative, partial(plots.recall, of_recipe, f"recall-{position}")))
    return Plots(drawn)


def _bins(found: Sequence[Detectability]) -> Table:
    """The numbers of the plots."""
    lines = [(each, name, bins) for each in found for name, bins in each.by.items() if bins]
    most = max(len(bins) for _, _, bins in lines)
    rows = [
        [
            Cell(each.recipe, each.detector),
            Cell(words.PROPERTIES[name][1]),
            *(_bin(one, words.PROPERTIES[name][0]) for one in bins),
            *[Cell(words.NONE)] * (most - len(bins)),
        ]
        for each, name, bins in lines
    ]
    edges = {0: "lowest", most - 1: "highest"} if most > 1 else {}
    columns = [
        Column("name and detector"),
        Column("recall by", words=True),
        *(Column(edges.get(position, f"bin {position + 1}")) for position in range(most)),
    ]
    return Table("The plots' numbers: recall, range, samples", columns, [Group("", rows)], folded=True)


def _bin(one: Bin, unit: int) -> Cell:
    low, high = (f"{unit * edge:.3g}" for edge in (one.low, one.high))
    return Cell(words.number(one.recall), f"{low}–{high}, {one.samples}")


def sets(report: ValidationReport) -> Section | None:
    """What the recipes' samples are like."""
    if not report.sets:
        return None
    columns = [
        Column("name"),
        Column("samples"),
        Column("rejected"),
        Column("near duplicates"),
        Column("diversity"),
        Column("distance from normal"),
        Column("beyond normal"),
        Column("look normal"),
    ]
    terms = [
        ("rejected", "samples in which no defect could be made that can be seen."),
        ("near duplicates", "share of the samples with another that looks the same."),
        (
            "diversity",
            "how much the defects differ from each other; 1 is as much as places of good products do.",
        ),
        (
            "distance from normal",
            "how far a defect is from what is normal; about 1 looks like a good product.",
        ),
        (
            "beyond normal",
            "share of the masks' area that differs more from good products than they do from each other.",
        ),
        (
            "look normal",
            "share of the defects with less than half of the mask beyond normal: their labels are doubtful.",
        ),
    ]
    table = Table(
        "What the samples of each recipe are like", columns, [Group("", list(map(_facts, report.sets)))]
    )
    return Section(
        "The samples themselves", "What can be said of a recipe without any detector.", [table, Terms(terms)]
    )


def _by_kind(abnormal: Abnormal) -> str:
    return ", ".join(f"{name} {words.share(share)}" for name, share in abnormal.by_kind.items())


def _facts(found: SetFacts) -> list[Cell]:
    return [
        Cell(found.recipe),
        Cell(f"{found.samples:,}"),
        Cell(f"{found.rejected:,}"),
        Cell(words.share(found.near_duplicates)),
        Cell(words.number(found.diversity)),
        Cell(words.number(found.distance_from_normal)),
        Cell(words.share(found.abnormal.share)),
        Cell(words.share(found.abnormal.look_normal), _by_kind(found.abnormal)),
    ]
