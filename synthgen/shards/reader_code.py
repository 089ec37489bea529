"""Code to copy: three ways to read a directory of shards."""

from synthgen.plan.plan import Plan
from synthgen.shards.mark import Mark


def reader_code(marks: list[Mark], plan: Plan, folder: str = "") -> str:
    """Three readers as Markdown; ``folder`` is put before the names of files (with its slash)."""
    image = plan.recipe.output.image_format
    first, last = marks[0].shard.removesuffix(".tar"), marks[-1].shard.removesuffix(".tar")
    shards = f"{{{first}..{last}}}.tar" if first != last else marks[0].shard
    return f"""With webdataset (a DataLoader needs at least one shard a worker):

```python
import io

import webdataset
from PIL import Image


def picture(data):
    return Image.open(io.BytesIO(data))


samples = (
    webdataset.WebDataset("{folder}{shards}", shardshuffle=False)
    .decode(webdataset.handle_extension("png jpg webp", picture))
    .to_tuple("{image}", "mask.png", "cls", "json")
)
for image, mask, label, facts in samples:
    print(facts["key"], image.size, mask.mode, label, facts["method"])
```

As a torch Dataset that makes the same samples on the fly, from the source images:

```python
from pathlib import Path

import synthgen
from torch.utils.data import DataLoader

plan = synthgen.Plan.model_validate_json(Path("{folder}plan.json").read_text())
loader = DataLoader(synthgen.AnomalyDataset(plan), batch_size=32, num_workers=2)
for batch in loader:
    print(batch["image"].shape, batch["mask"].shape, batch["label"].sum())
```

With nothing but tarfile and Pillow:

```python
import json
import tarfile

from PIL import Image

with tarfile.open("{folder}{marks[0].shard}") as shard:
    members = {{member.name: member for member in shard}}
    for key in sorted({{name.split(".")[0] for name in members}}):
        image = Image.open(shard.extractfile(members[f"{{key}}.{image}"]))
        mask = Image.open(shard.extractfile(members[f"{{key}}.mask.png"]))
        facts = json.load(shard.extractfile(members[f"{{key}}.json"]))
        print(key, image.size, mask.mode, facts["label"], facts["method"])
```
"""
