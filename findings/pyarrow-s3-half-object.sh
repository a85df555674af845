#!/bin/sh
# Guess: an exception inside `with fs.open_output_stream(key)` leaves the object as it was, as a temporary file would.
# Happens: leaving the block closes the stream, and closing it publishes: the half-written bytes take the place of a good
#          object, and a reader finds a Parquet file without its end. Writing locally and sending the whole file by one
#          put does not.
# Seen:    pyarrow 26.0.1: before 1000 rows, after the exception 4 bytes, not readable (ArrowInvalid)
# Versions: pyarrow 26.0.1, moto 5.2.5 as the S3 server. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pyarrow==26.0.1" "moto[s3]==5.2.5" "flask" "flask-cors"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from moto.server import ThreadedMotoServer
from pyarrow import fs

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
store = fs.S3FileSystem(
    access_key="name", secret_key="secret", region="us-east-1", endpoint_override=f"127.0.0.1:{port}", scheme="http",
    allow_bucket_creation=True,
)
store.create_dir("bucket")
key = "bucket/part.parquet"
pq.write_table(pa.table({"number": range(1000)}), key, filesystem=store)
before = pq.read_table(key, filesystem=store).num_rows
try:
    with store.open_output_stream(key) as stream:
        stream.write(b"PAR1")
        raise RuntimeError("the disk of the source fails, say")
except RuntimeError:
    pass
size = store.get_file_info(key).size
try:
    readable = f"{pq.read_table(key, filesystem=store).num_rows} rows"
except pa.ArrowInvalid as error:
    readable = f"not readable ({type(error).__name__})"
server.stop()
print(f"pyarrow {pa.__version__}: before {before} rows, after the exception {size} bytes, {readable}")
sys.exit(0 if (before, size, readable) == (1000, 4, "not readable (ArrowInvalid)") else 1)
PYTHON
