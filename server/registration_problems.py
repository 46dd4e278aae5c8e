"""What the registration authority's own files can have wrong, as problems."""

import ra.errors
from server.errors import NoPrinter, RegisterSilent
from server.problem_kinds import unavailable
from server.problems import FieldProblem, Problem, Row, row


def _policy_faulty(error: ra.errors.PolicyFaulty) -> Problem:
    faults = error.faults
    return Problem(
        type="policy-faulty",
        title="The policy cannot be used",
        status=400,
        detail=f"Policy {error.name} has {len(faults)} fault{'' if len(faults) == 1 else 's'}.",
        way_out="Correct what is listed, then run `tillid policy check`.",
        errors=tuple(FieldProblem(f.key, f"is not {f.rule}", "Correct it") for f in faults),
    )


def _catalogue_faulty(error: ra.errors.CatalogueFaulty) -> Problem:
    faults = error.faults
    return Problem(
        type="catalogue-faulty",
        title="The catalogue of sources cannot be used",
        status=400,
        detail=f"The catalogue has {len(faults)} fault{'' if len(faults) == 1 else 's'}.",
        way_out="Correct what is listed, then run `tillid policy sources FILE`.",
        errors=tuple(FieldProblem(f.key, f"is not {f.rule}", "Correct it") for f in faults),
    )


REGISTRATION_ROWS: tuple[Row, ...] = (
    row(ra.errors.PolicyFaulty, _policy_faulty),
    row(ra.errors.CatalogueFaulty, _catalogue_faulty),
    row(
        RegisterSilent,
        lambda error: unavailable(f"The register {error.source_id} does not answer now."),
    ),
    row(
        NoPrinter,
        lambda error: unavailable(
            f"No letter can be made: {error.why}.",
            "Set delivery.printer_certificate, or send the code by another channel.",
        ),
    ),
)
