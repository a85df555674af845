"""The room with pyarrow: the manifest's schema, writing, reading, summaries."""
