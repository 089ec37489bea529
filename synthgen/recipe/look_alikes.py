"""What was found of methods whose defects look like good products, in words and in what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from synthgen.recipe.proposed_methods import Offer

HOPELESS = 0.9
"""Share of a method's defects that look normal from which it is left out: of ten tries one would do."""
WORTHWHILE = 0.05
"""Share of all defects that look normal from which it is worth the time to ask of each."""


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """By method, defects that were compared with good products, and those that look like them."""

    category: str
    looked_at: Mapping[str, int]
    looked_normal: Mapping[str, int]

    def share(self, method: str) -> float:
        """The share of a method's defects that look like good products, 0 where none was made."""
        return self.looked_normal.get(method, 0) / max(self.looked_at.get(method, 0), 1)


def advised(offers: Sequence[Offer], found: LookAlikes) -> list[Offer]:
    """The offers with what was found of each; a hopeless one is left out, unless all are."""
    hopeless = {offer.method for offer in offers if offer.used and found.share(offer.method) >= HOPELESS}
    if hopeless == {offer.method for offer in offers if offer.used}:
        hopeless = set()
    told = []
    for offer in offers:
        if offer.method not in found.looked_at:
            told.append(offer)
            continue
        count, normal = found.looked_at[offer.method], found.looked_normal.get(offer.method, 0)
        sentence = f"{normal} of {count} of its defects look like good products here."
        if offer.method in hopeless:
            told.append(replace(offer, why_not=f"Left out: {sentence}"))
        else:
            told.append(replace(offer, does=f"{offer.does} {sentence}"))
    return told


def is_worthwhile(offers: Sequence[Offer], found: LookAlikes) -> bool:
    """Whether so many defects of the mix look like good products that each should be asked."""
    used = [offer for offer in offers if offer.used]
    return any(found.share(offer.method) > WORTHWHILE for offer in used)
