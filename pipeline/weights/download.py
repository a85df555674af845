"""One file over HTTP into a partial file: resumed where the server allows it, tried again where the line breaks."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from singanimation.pipeline.errors import MachineError, WeightsError
from singanimation.pipeline.runs import free_bytes, human_bytes

ATTEMPTS = 4
PAUSE_SECONDS = 1.0
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)

Report = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be, None where the server does not say."""


def download(url: str, partial: Path, report: Report) -> None:
    """Fetch ``url`` into ``partial``, going on from the bytes that an earlier, broken fetch of it left there.

    A server's entity tag is kept beside the partial file, so that two versions of a file are never joined; without
    one the fetch begins anew. Raises WeightsError (no network, no such file, the line broke ATTEMPTS times: what
    came is kept) and MachineError (disk).
    """
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}) as client:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _transfer(client, url, partial, report)
                return
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
                raise WeightsError(_offline(url, error)) from None
            except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
                raise WeightsError(f"{url} cannot be fetched ({error}).") from None
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    kept = human_bytes(partial.stat().st_size if partial.exists() else 0)
                    raise WeightsError(
                        f"the connection to {httpx.URL(url).host} broke {ATTEMPTS} times ({_text(error)}); {kept} are "
                        "kept, and the same command goes on from there."
                    ) from None
                time.sleep(PAUSE_SECONDS * attempt)
            except OSError as error:
                raise MachineError(f"{partial} could not be written ({error.strerror or error}).") from error


def _transfer(client: httpx.Client, url: str, partial: Path, report: Report) -> None:
    tag_file = partial.with_name(partial.name + ".etag")
    here = partial.stat().st_size if partial.exists() else 0
    tag = tag_file.read_text(encoding="utf-8") if here and tag_file.exists() else ""
    headers = {"Range": f"bytes={here}-", "If-Range": tag} if tag else {}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and tag:
            tag_file.unlink()  # all of it is there, or it is of another version: the next attempt begins anew
            raise httpx.ReadError("the server does not know that part of the file")
        _check(response, url)
        begin = _range_begin(response)
        if begin not in (0, here):
            raise WeightsError(f"{response.url.host} answered with another part of the file than was asked for.")
        _keep_tag(tag_file, response.headers.get("ETag", ""))
        total = _total(response, begin)
        _check_space(partial, (total or 0) - begin)
        with partial.open("r+b" if begin else "wb") as file:
            file.seek(begin)
            file.truncate()
            report(begin, total)
            for chunk in response.iter_raw():  # of no set size: one would hold back what came before a break
                file.write(chunk)
                report(file.tell(), total)
    tag_file.unlink(missing_ok=True)


def _check(response: httpx.Response, url: str) -> None:
    if httpx.URL(url).scheme == "https" and response.url.scheme != "https":
        raise WeightsError(f"{url} leads to an address without encryption ({response.url}); it was not followed.")
    if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise WeightsError(
            f"{response.url.host} answered {response.status_code} {response.reason_phrase} for {url}; "
            "try later, or fetch the file elsewhere and give it by --from."
        )
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise WeightsError(f"{response.url.host} sent {url} re-encoded, though asked not to; use another mirror.")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise WeightsError(f"{url} gave a web page in place of the file: is there a login or a proxy in between?")


def _range_begin(response: httpx.Response) -> int:
    """Return the first byte's place in the file; a server that ignores Range begins at 0."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match.group(1)) if match else -1


def _total(response: httpx.Response, begin: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return begin + int(length) if length.isdigit() else None


def _keep_tag(tag_file: Path, tag: str) -> None:
    if tag and not tag.startswith("W/"):  # weak tags do not promise the same bytes
        tag_file.write_text(tag, encoding="utf-8")
    else:
        tag_file.unlink(missing_ok=True)


def _check_space(partial: Path, needed: int) -> None:
    free = free_bytes(partial.parent)
    if free is not None and needed > free:
        raise MachineError(f"{partial.parent} has {human_bytes(free)} left and {human_bytes(needed)} are needed.")


def _offline(url: str, error: Exception) -> str:
    return (
        f"{httpx.URL(url).host} cannot be reached ({_text(error)}): without a network, fetch {url} elsewhere and give "
        "the file by --from."
    )


def _text(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
