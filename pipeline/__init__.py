"""The words that every room shares: records, settings, runs, datasets, errors. No torch, no Prefect."""
