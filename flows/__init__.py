"""The only room with Prefect: the flow, its tasks, and the command line."""
