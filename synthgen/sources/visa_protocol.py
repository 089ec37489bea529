"""The published splits of VisA: one class, and two classes with many or few shots (Zou et al., ECCV 2022)."""

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from synthgen.errors import InputError
from synthgen.sources.base import Entry
from synthgen.sources.visa import VisaSource
from synthgen.streams import Stream

Protocol = Literal["1cls", "2cls_highshot", "2cls_fewshot"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


class VisaProtocol(VisaSource):
    """VisA by one of its published split files; the test images are that file's.

    Of a split of two classes the training rows with a defect are left out: detectors here learn from normal
    images, and from anomalies that are made of them.
    """

    protocol: Protocol = "1cls"
    """The split file's name in split_csv: 1cls, 2cls_highshot (60 % to train on) or 2cls_fewshot (20 %)."""
    shots: Annotated[int, Field(ge=1)] | None = None
    """Normal training images of each category, drawn at random, always the same; None takes all."""

    @property
    def split_file(self) -> str:
        """That of the protocol."""
        return f"split_csv/{self.protocol}.csv"

    @property
    def layout(self) -> str:
        """With the protocol, and the shots where not all are taken."""
        shots = "" if self.shots is None else f", {self.shots} shots"
        return f"visa {self.protocol}{shots}"

    def entries(self) -> Sequence[Entry]:
        """As many training-normal images as there are shots. Raises InputError where fewer are there."""
        found = super().entries()
        if self.shots is None:
            return found
        kept: list[Entry] = []
        for category in dict.fromkeys(entry.category for entry in found):
            own = [entry for entry in found if entry.category == category]
            if len(own) < self.shots:
                raise InputError(
                    f"{self.split_file} in {self.path} has {len(own)} normal training images of {category}, "
                    f"and {self.shots} shots are asked for; give fewer"
                )
            drawn = Stream(0, self.shots, f"shots/{category}").distinct(len(own), self.shots)
            kept += [own[number] for number in sorted(drawn)]
        return kept
