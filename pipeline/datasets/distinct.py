"""Sources with ids of their own, from rows of a table that may name a picture twice or two pictures alike."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from singanimation.pipeline.datasets.dataset import Findings
from singanimation.pipeline.records import Source


def distinct_ones(rows: Sequence[Source], findings: Findings) -> Sequence[Source]:
    """Return the sources with ids of their own, see ``_distinct``; the rows themselves where no id comes twice.

    Told by hashes of 8 bytes: a dictionary of a million names takes as much memory as half the sources.
    """
    hashes = np.fromiter((hash(source.source_id) for source in rows), np.int64, len(rows))
    if len(np.unique(hashes)) == len(rows):
        return rows
    sources: dict[str, Source] = {}
    contents: dict[str, list[str]] = {}
    for source in rows:
        distinct = _distinct(source, sources, contents, findings)
        if distinct is not None:
            sources[distinct.source_id] = distinct
    return list(sources.values())


def _distinct(
    source: Source, sources: Mapping[str, Source], contents: dict[str, list[str]], findings: Findings
) -> Source | None:
    """Return a source whose id is its own: the same picture again falls away, another one gets ``id#2``.

    ``contents`` holds what the pictures of repeated ids are, by id.
    """
    first = sources.get(source.source_id)
    if first is None:
        return source
    known = contents.setdefault(source.source_id, [_content(first)])
    content = _content(source)
    if content in known:
        findings.add("{count} pictures occur twice, the first counts", source.source_id)
        return None
    known.append(content)
    findings.add("{count} ids are shared by different pictures and were numbered", source.source_id)
    new = f"{source.source_id}#{len(known)}"
    # a picture that is nobody's known is a group of its own, whatever its name
    return replace(source, source_id=new, group_id=new if source.group_id == source.source_id else source.group_id)


def _content(source: Source) -> str:
    return hashlib.sha256(source.data).hexdigest() if source.data is not None else str(source.path)
