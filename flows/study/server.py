"""The study's page on a local address with a token in it; what is sent is checked, and changes nothing when bad."""

import secrets
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel, Field

from singanimation.flows.study.plan import SECONDS, Study
from singanimation.flows.study.store import PICTURES, Answers, Refused
from singanimation.pipeline.expressions import EMOTIONS

CHOICES = {"paired": ("left", "right"), "unpaired": ("real", "fake"), "emotion": EMOTIONS}
"""What can be answered, by kind of study."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Given(BaseModel):
    """An answer as it is sent."""

    subject: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[\w-]+$")]
    number: Annotated[int, Field(ge=0, le=10_000)]
    answer: Annotated[str, Field(max_length=20)]
    shown_ms: Annotated[float, Field(ge=0, le=60_000)]
    took_ms: Annotated[float, Field(ge=0, le=3_600_000)]


def make_app(folder: Path, study: Study, token: str) -> FastAPI:
    """Return the application that serves ``study``'s page below ``/<token>/``; any other address is not found."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    answers = Answers(folder, study)
    page = (files("singanimation.flows.study") / "page.html").read_text(encoding="utf-8")
    script = (files("singanimation.flows.study") / "page.js").read_text(encoding="utf-8")
    text = page.replace("/* script */", script).replace('data-kind=""', f'data-kind="{study.kind}"')

    def check(given: str) -> None:
        if not secrets.compare_digest(given.encode(), token.encode()):
            raise HTTPException(404)

    @app.middleware("http")
    async def headers(request: Any, go_on: Any) -> Response:
        response = await go_on(request)
        response.headers.update(_HEADERS)
        return response

    @app.get("/{given}/")
    def index(given: str) -> HTMLResponse:
        check(given)
        return HTMLResponse(text)

    @app.get("/{given}/pictures/{name}")
    def picture(given: str, name: str) -> FileResponse:
        check(given)
        known = {each for trial in study.trials for each in trial.pictures}
        if name not in known:
            raise HTTPException(404)
        return FileResponse(folder / PICTURES / f"{name}.png", media_type="image/png")

    @app.post("/{given}/subjects")
    def begin(given: str) -> dict[str, Any]:
        check(given)
        subject = secrets.token_urlsafe(12)
        choices = list(CHOICES[study.kind])
        return {"subject": subject, "trials": answers.begin(subject), "choices": choices, "seconds": SECONDS}

    @app.post("/{given}/answers")
    def answer(given: str, sent: Given) -> dict[str, Any]:
        check(given)
        if sent.answer not in CHOICES[study.kind]:
            raise HTTPException(422, f"{sent.answer!r} is no answer to this study.")
        try:
            right = answers.add(sent.subject, sent.number, sent.answer, sent.shown_ms, sent.took_ms)
        except Refused as refused:
            raise HTTPException(refused.status, str(refused)) from None
        return {"right": right}

    return app
