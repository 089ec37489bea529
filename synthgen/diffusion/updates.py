"""How many updates a model was trained for, and whether they are enough."""

from typing import Any

from pydantic import BaseModel, Field, ValidationError

from synthgen.diffusion.training.presets import PRESETS, PresetName

DEFAULT_UPDATES = 5000
"""What a training does unless it is told otherwise."""
LEAST_UPDATES = 1000
"""With fewer a model shows noise: the loss of the built-in one fell from 0.038 after 200 updates to 0.015
after 1,000, and to 0.011 in the 1,900 that followed (``docs/builtin-model-loss.csv``)."""


class TrainingRecord(BaseModel):
    """What ``ModelFacts.training`` says of the amount of training."""

    preset: PresetName
    first_weights: str
    updates: int = Field(ge=0)
    batch: int = Field(ge=1)
    accumulate: int = Field(ge=1)
    processes: int = Field(ge=1)

    @property
    def images(self) -> int:
        """Images of an update."""
        return self.batch * self.accumulate * self.processes

    @property
    def is_short(self) -> bool:
        """Whether fewer updates, or fewer images than as many of the preset's batches have, were seen.

        Of a training that begins with the weights of another one, the number of its updates says little.
        """
        in_preset_batches = self.updates * self.images // PRESETS[self.preset].batch
        return self.first_weights == "random" and min(self.updates, in_preset_batches) < LEAST_UPDATES


def too_few_updates(training: dict[str, Any]) -> str:
    """What to say of a model by ``ModelFacts.training``, if it was trained too little; else nothing."""
    try:
        record = TrainingRecord.model_validate(training)
    except ValidationError:  # another program's model, of which nothing is known
        return ""
    if not record.is_short:
        return ""
    return (
        f"trained for only {record.updates:,} updates of {record.images} images, so expect noise: "
        f"{LEAST_UPDATES:,} updates of {PRESETS[record.preset].batch} are the least, {DEFAULT_UPDATES:,} the "
        "default; go on by the same `synthgen sdas train` with more --steps"
    )
