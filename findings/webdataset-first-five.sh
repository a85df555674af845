#!/bin/sh
# Guess: datasets reads every picture of a WebDataset shard, whatever its ending, and every field of its .json.
# Happens: endings and fields are those of the first five samples. A sample with .png after five with .jpg loads without
#          its picture (None), and a field that only later samples have is dropped; no warning, the row count is right.
# Seen:    datasets 5.2.0: 8 rows, columns ['jpg', 'json', '__key__', '__url__'], 3 without a picture,
#          fields of the last row's json: ['number']
# Versions: datasets 5.2.0 (3.6.0 the same), pyarrow 26.0.1. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "datasets==5.2.0" "pillow" "pyarrow==26.0.1"
HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import io, json, sys, tarfile
from pathlib import Path

import datasets
from PIL import Image

folder = Path(sys.argv[1])


def picture(kind: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (16, 16)).save(data, kind)
    return data.getvalue()


with tarfile.open(folder / "train-000000.tar", "w") as tar:
    for number in range(8):
        kind = ("jpg", "JPEG") if number < 5 else ("png", "PNG")
        row = {"number": number} | ({"distance": 0.5} if number >= 5 else {})
        for ending, content in ((kind[0], picture(kind[1])), ("json", json.dumps(row).encode())):
            member = tarfile.TarInfo(f"{number}.{ending}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

shard = str(folder / "train-000000.tar")
rows = datasets.load_dataset("webdataset", data_files=shard, split="train", cache_dir=str(folder / "cache"))
lost = sum(picture is None for picture in rows["jpg"])
fields = sorted(rows[7]["json"])
print(f"datasets {datasets.__version__}: {len(rows)} rows, columns {rows.column_names}, {lost} without a picture,")
print(f"fields of the last row's json: {fields}")
sys.exit(0 if (len(rows), lost, "png" in rows.column_names, fields) == (8, 3, False, ["number"]) else 1)
PYTHON
