"""Keeping a manifest whole: checking, compacting, taking rows out, looking again at what was rejected."""
