"""The model card, for a person who finds the directory."""

import json
from typing import TYPE_CHECKING

from synthgen.diffusion.model_files import ModelFacts
from synthgen.diffusion.updates import TrainingRecord

if TYPE_CHECKING:
    from diffusers import UNet2DModel


def model_card(facts: ModelFacts, unet: "UNet2DModel") -> str:
    """Markdown: what the model is, how it opens, and what it was trained on."""
    parameters = sum(weights.numel() for weights in unet.parameters())
    settings, record = facts.training, TrainingRecord.model_validate(facts.training)
    return f"""---
library_name: diffusers
license: other
license_name: same-as-the-training-images
tags: [diffusion, anomaly-synthesis, synthgen]
---
# A diffusion model of normal images

| | |
|---|---|
| categories | {", ".join(facts.categories)} |
| trained on | {facts.trained_on} normal images, as {_seen(facts)} |
| channels | {facts.channels} |
| network | UNet2DModel, preset {settings["preset"]}, {parameters / 1e6:.2f} M parameters |
| predicts | {settings["prediction"]}; {settings["variance"]} variance |
| updates | {record.updates} of {record.images} images; seed {settings["seed"]} |
| first weights | {settings["first_weights"]} |

{_opening(facts)}

With synthgen, anomalies leave the normal images by a strength `s` (SDAS, RealNet, CVPR 2024):

```python
import synthgen
from synthgen.diffusion.model import Whole
from synthgen.diffusion.sampling import Sampling

model = synthgen.load_model("path/to/this/directory")
what = Whole(noise_seed=7, strength=0.2, category={json.dumps(facts.categories[0], ensure_ascii=False)})
pictures = model.whole([what], Sampling(steps=20))
```

The weights are the moving average of the training. They learned from pictures with a licence of their own,
which may bind them.
"""


def _seen(facts: ModelFacts) -> str:
    if facts.view == "image":
        return f"whole images, resized to {facts.size} x {facts.size}"
    height, width = facts.image_size
    return f"patches of {facts.size} x {facts.size} out of images of {width} x {height}"


def _opening(facts: ModelFacts) -> str:
    if facts.packing > 1:
        return (
            f"Squares of {facts.packing} x {facts.packing} pixels are packed into channels (pixel unshuffle) "
            "before the network,\nso this is no `DDPMPipeline`; "
            '`UNet2DModel.from_pretrained(directory, subfolder="unet")` opens it.'
        )
    if facts.conditional:
        labels = ", ".join(f"{number} {name}" for number, name in enumerate(facts.categories))
        return (
            f"Class-conditional: the labels are {labels}, and {len(facts.categories)} for no class.\n"
            "`DDPMPipeline` gives no labels, so sample it through synthgen."
        )
    return "Opens in diffusers as it is: `DDPMPipeline.from_pretrained(directory)()`."
