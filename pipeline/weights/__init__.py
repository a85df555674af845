"""The weights this program can use: what they are, where they are looked for, how they are fetched and checked."""

from singanimation.pipeline.weights.checks import Verdict as Verdict
from singanimation.pipeline.weights.checks import file_sha256 as file_sha256
from singanimation.pipeline.weights.checks import verify as verify
from singanimation.pipeline.weights.entries import ENTRIES as ENTRIES
from singanimation.pipeline.weights.entries import Entry as Entry
from singanimation.pipeline.weights.entries import get_entry as get_entry
from singanimation.pipeline.weights.fetch import fetch as fetch
from singanimation.pipeline.weights.places import Found as Found
from singanimation.pipeline.weights.places import cache_folder as cache_folder
from singanimation.pipeline.weights.places import find as find
from singanimation.pipeline.weights.places import locate as locate
