"""Tensors and records in, tensors and records out. The room with torch; no file layout, no Prefect."""
