"""The staff listener's application: API, pages, metrics, and every problem as a document."""

from typing import Any

from flask import Flask, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from server.access import same_site
from server.api import api
from server.api_cases import admit_file
from server.api_revocations import admit_plan
from server.assembly import Assembly
from server.logs import record_unforeseen
from server.metrics import Metrics, exposition
from server.openapi_document import documented
from server.pages import pages, problem_page
from server.problem_rows import ROWS
from server.problems import FieldProblem, Problem, problem_of, unforeseen

MAX_BODY = 128 * 1024
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}


class _Json(DefaultJSONProvider):
    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """As Flask does; what is nested beyond measure is malformed like anything else."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def staff_app(parts: Assembly, metrics: Metrics) -> Flask:
    """The application of one process."""
    app = OpenAPI(
        __name__,
        info=Info(title="Tillid staff API", version="1"),
        doc_ui=False,
        validation_error_status=400,
        validation_error_callback=_invalid,
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json = _Json(app)
    app.register_api(api(parts))
    app.register_blueprint(pages(parts))

    app.before_request(_no_foreign_site)
    app.before_request(lambda: admit_plan(parts))
    app.before_request(lambda: admit_file(parts))

    @app.get("/api/openapi.json")
    def openapi() -> dict[str, object]:
        return documented(app.api_doc)

    @app.get("/metrics")
    def show_metrics() -> Response:
        return Response(exposition(), mimetype="text/plain; version=0.0.4")

    @app.get("/healthz")
    def alive() -> str:
        return "alive\n"

    @app.errorhandler(Exception)
    def problem(error: Exception) -> Response:
        return _refusal(_problem(parts, error), error)

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "/other"
        metrics.requests.labels("staff", route, str(response.status_code)).inc()
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Strict-Transport-Security"] = "max-age=63072000"
        return response

    return app


def _refusal(found: Problem, error: Exception) -> Response:
    response = problem_page(found) if _for_people() else _answer(found)
    response.headers.extend(_HEADERS.get(found.status, {}))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(error.valid_methods or ())
    return response


def _no_foreign_site() -> None:
    # A client certificate comes by itself with whatever a browser sends, as a cookie does.
    if request.method not in _SAFE_METHODS:
        same_site(request)


def _problem(parts: Assembly, error: Exception) -> Problem:
    if isinstance(error, HTTPException):
        return Problem(
            type="http",
            title=error.name,
            status=error.code or 500,
            detail=error.description or error.name,
            way_out="See /api/openapi.json for what there is.",
        )
    known = problem_of(error, ROWS)
    return known or unforeseen(record_unforeseen(parts.settings.state, error))


def _for_people() -> bool:
    """Whether the answer is for a person's browser: one of the pages, or an unknown address."""
    if request.blueprint == "pages":
        return True
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return not request.path.startswith("/api/") and best == "text/html"


def _invalid(error: ValidationError) -> Response:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return _answer(
        Problem(
            type="malformed",
            title="The request is not of its form",
            status=400,
            detail=f"The request has {len(faults)} {'fault' if len(faults) == 1 else 'faults'}.",
            way_out="Correct the fields that are listed; /api/openapi.json has their forms.",
            errors=tuple(
                FieldProblem(
                    ".".join(map(str, fault["loc"])) or "body", fault["msg"], "Correct it."
                )
                for fault in faults
            ),
        )
    )


def _answer(problem: Problem) -> Response:
    response = jsonify(problem.document())
    response.status_code = problem.status
    response.mimetype = "application/problem+json"
    return response
