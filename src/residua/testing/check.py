"""Run the checks on a model, all of them, and say at once everything that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from residua.registry import family, model_spec
from residua.spec import ModelSpec
from residua.testing import conventions, heavy, learning, light


class ConformanceError(AssertionError):
    """One line for each check that failed."""


@dataclass(frozen=True)
class Check:
    """A property of a network. ``heavy`` ones compute; ``capability`` is what the family must declare for it."""

    run: Callable[[ModelSpec], None]
    heavy: bool = False
    capability: str = ""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.run.__name__


# what other people's code does with a network; of interest beyond the tiny members
CONVENTIONS = (
    Check(conventions.copies_agree, heavy=True),
    Check(conventions.fx_agrees, heavy=True, capability="fx"),
    Check(conventions.export_agrees, heavy=True, capability="export"),
    Check(conventions.trace_agrees, heavy=True, capability="export"),
    Check(conventions.stochastic_depth_is_one_graph, heavy=True, capability="export"),
    Check(conventions.classifier_is_replaced, heavy=True, capability="features"),
    Check(conventions.features_are_stated, heavy=True, capability="features"),
    Check(conventions.parameters_are_grouped, heavy=True, capability="features"),
    Check(conventions.checkpointing_changes_nothing, heavy=True, capability="features"),
)

CHECKS = (
    Check(light.spec_round_trip),
    Check(light.builds_and_runs_without_numbers),
    Check(light.units_are_residual),
    Check(light.no_parameter_has_two_names),
    Check(heavy.gradients_reach_everything, heavy=True),
    Check(heavy.evaluation_repeats, heavy=True),
    Check(heavy.no_drop_path_changes_nothing, heavy=True),
    Check(heavy.lesions_are_undone, heavy=True),
    Check(heavy.weights_round_trip, heavy=True),
    Check(heavy.channels_last_agrees, heavy=True),
    Check(heavy.bfloat16_agrees, heavy=True),
    Check(heavy.wrong_inputs_are_one_line, heavy=True),
    Check(heavy.compile_agrees, heavy=True, capability="compile"),
    Check(learning.fine_tuning_begins_with_the_head, heavy=True, capability="features"),
    *CONVENTIONS,
)


def check_model(model: str | ModelSpec, *, checks: Sequence[Check] | None = None) -> list[str]:
    """Hold a model to the checks, and return the names of those that ran.

    By default the light ones, which compute nothing and suit any size, and for the ``tiny`` member of a family also
    the heavy ones. Raises ConformanceError with a line for each check that fails.
    """
    spec = model_spec(model)
    known = family(spec.family)
    if checks is None:
        checks = [check for check in CHECKS if not check.heavy or spec.name == known.tiny]
    chosen = [check for check in checks if not check.capability or check.capability in known.capabilities]
    failures = []
    for check in chosen:
        try:
            check.run(spec)
        except Exception as error:  # whatever goes wrong in a network is a failure of the check
            line = next(iter(str(error).strip().splitlines()), "")
            failures.append(f"{spec.name}: {check.name}: {type(error).__name__}: {line}")
    if failures:
        raise ConformanceError("\n".join(failures))
    return [check.name for check in chosen]
