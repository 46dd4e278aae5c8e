"""The OpenAPI document as it is served: what flask-openapi3 cannot know of our answers.

Every refusal is a problem document (RFC 9457), and there are two ways to say who asks.
"""

from typing import Any

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rule": {"type": "string", "description": "The rule that refused, with its clause."},
        "way_out": {"type": "string"},
        "reference": {"type": "string", "description": "What to quote to the operator."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail", "way_out"],
                "properties": {name: {"type": "string"} for name in ("field", "detail", "way_out")},
            },
        },
    },
}
_ANSWERS = {
    "2XX": {"description": "It was done, or here is what was asked for."},
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    },
}
_WHO = {
    "officer": {"type": "mutualTLS", "description": "The officer's certificate."},
    "applicant": {"type": "http", "scheme": "bearer", "description": "The application's secret."},
}


def documented(document: dict[str, Any]) -> dict[str, Any]:
    """The operations of the API with our answers, and who may ask."""
    paths = {
        path: {method: {**operation, "responses": _ANSWERS} for method, operation in item.items()}
        for path, item in document["paths"].items()
        if path.startswith("/api/v1/")
    }
    bodies = document["components"]["schemas"]
    kept = {name: shape for name, shape in bodies.items() if "ValidationError" not in name}
    return {
        **document,
        "paths": paths,
        "components": {"schemas": {**kept, "Problem": _PROBLEM}, "securitySchemes": _WHO},
        "security": [{"officer": []}, {"applicant": []}, {}],
    }
