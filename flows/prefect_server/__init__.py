"""The Prefect server that a run starts, and what killed runs left in it."""
