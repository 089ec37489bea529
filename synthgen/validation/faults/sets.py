"""All faults of a recipe's samples."""

from synthgen.validation.faults.copies import copies
from synthgen.validation.faults.defects import few_samples, invisible
from synthgen.validation.faults.outside import SHIFTED, changed_outside
from synthgen.validation.faults.pictures import same_picture
from synthgen.validation.faults.triples import triples
from synthgen.validation.faults.trivial import trivial
from synthgen.validation.report import Fault
from synthgen.validation.samples import SampleSet


def set_faults(learning: SampleSet, judging: SampleSet, name: str) -> list[Fault]:
    """What is wrong with a recipe's samples, by their pixels, masks and hashes; [] for sound ones.

    ``learning``: what detectors learn from; ``judging``: made of other normal images of the same size;
    ``name``: the recipe's. A recipe makes both sets, so each fault is told once, over both.
    """
    every = triples(learning) + triples(judging)
    defects = [triple for triple in every if triple.mask.any()]
    outside = changed_outside(every, name)
    found = [
        same_picture(learning, judging, name),
        outside,
        copies(triples(learning), triples(judging), name),
        # A mask that lies beside its defect says nothing of how well that is seen.
        None if outside and outside.fault == SHIFTED else invisible(defects, name),
        trivial(defects, [triple.normal for triple in every], name),
        few_samples(every, name),
    ]
    return [fault for fault in found if fault]
