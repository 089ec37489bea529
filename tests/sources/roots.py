"""Small data sets in every layout; a file's bytes are its own path."""

import io
import tarfile
from pathlib import Path


def build(folder: Path, *names: str) -> str:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return str(folder)


def mvtec(folder: Path, normal: str = "train/good") -> str:
    files = [f"{normal}/001.png", f"{normal}/000.png", "test/good/9.png", "test/broken/8.png"]
    files.append("ground_truth/broken/8_mask.png")
    build(folder, "license.txt", "extra/readme.png")
    return build(folder, *[f"{category}/{file}" for category in ("cable", "bottle") for file in files])


VISA_ROWS = """object,split,label,image,mask
pcb1,train,normal,pcb1/Data/Images/Normal/0002.JPG,
candle,train,normal,candle/Data/Images/Normal/0001.JPG,
candle,train,normal,candle/Data/Images/Normal/0000.JPG,
candle,test,normal,candle/Data/Images/Normal/0003.JPG,
candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png
candle,train,anomaly,candle/Data/Images/Anomaly/001.JPG,candle/Data/Masks/Anomaly/001.png
"""


def visa(folder: Path, rows: str = VISA_ROWS) -> str:
    build(folder, *[name for line in rows.splitlines()[1:] for name in line.split(",")[3:] if name])
    build(folder, "split_csv/1cls.csv")
    (folder / "split_csv/1cls.csv").write_text(rows, encoding="utf-8-sig")
    return str(folder)


NORMAL = 12
TRAINED = {"1cls": 10, "2cls_highshot": 8, "2cls_fewshot": 3}
"""By VisA's protocols: how many of the twelve normal images of a category are for training."""


def visa_splits(folder: Path) -> Path:
    """Two categories by three protocols; in those of two classes, two of four defects are for training."""
    splits = {}
    for protocol, trained in TRAINED.items():
        lines = ["object,split,label,image,mask"]
        for category in ("candle", "pcb1"):
            for number in range(NORMAL):
                split = "train" if number < trained else "test"
                lines.append(f"{category},{split},normal,{category}/Data/Images/Normal/{number:04}.png,")
            for number in range(4):
                split = "train" if protocol != "1cls" and number < 2 else "test"
                place = f"{category}/Data/{{}}/Anomaly/{number:03}.png"
                lines.append(f"{category},{split},anomaly,{place.format('Images')},{place.format('Masks')}")
        splits[protocol] = "\n".join(lines) + "\n"
    visa(folder, splits["1cls"])
    for protocol, rows in splits.items():
        (folder / "split_csv" / f"{protocol}.csv").write_text(rows)
    return folder


def tar(members: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def shard(number: int) -> dict[str, bytes]:
    return {
        f"{number}_0.cls": b"0",
        f"{number}_0.png": b"normal %d" % number,
        f"{number}_0.mask.png": b"mask",
        f"{number}_0.normal.png": b"paired",
        f"{number}_0.json": b"{}",
        f"{number}_1.png": b"anomalous",
        f"{number}_1.cls": b"1",
    }
