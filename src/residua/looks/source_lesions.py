"""Whether the layers of a DenseNet use what their sources give (Huang et al. 2017, sec. 5): it is taken from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from residua.analysis.finding import Finding, rows_of_figures
from residua.errors import UsageError
from residua.looks.base import ALL, Look, Subject
from residua.parts import register


@register
@dataclass(frozen=True, kw_only=True)
class SourceLesions(Look):
    """By how many points the error rises when dense layers lose one of their sources.

    ``cut_input``: what entered the block; ``cut_last``: the layer just before; of all layers with several sources at
    once. Beside them the mean absolute weights of these sources over that of all (``reuse``): at the
    initialisation they are 1 and the rises are 0, so that only the rises tell a network that has learned. Raises
    UsageError for a network without dense layers.
    """

    kind: ClassVar[str] = "source_lesions"
    about: ClassVar[str] = "by how much the error rises when a DenseNet's layers lose a source"
    images: ClassVar[int] = ALL
    trained: ClassVar[bool] = True
    offered: ClassVar[bool] = False

    def find(self, subject: Subject) -> Finding:  # noqa: D102
        from residua.analysis.dense_weights import source_shares, source_weights, without_source
        from residua.analysis.logits import error_rate

        weights = source_weights(subject.model)
        if not weights:
            raise UsageError(f"{type(subject.model).__name__} has no dense layers that could lose a source")
        error = 100 * error_rate(*subject.shown)
        cut = {
            source: 100 * error_rate(without_source(subject.model, source), subject.images, subject.labels)
            - error
            for source in ("input", "last")
        }
        of_input, of_last = source_shares(weights)
        return Finding(
            kind=self.kind,
            title="Sources taken from dense layers",
            **rows_of_figures(
                {
                    "error": error,
                    "cut_input": cut["input"],
                    "cut_last": cut["last"],
                    "weight_of_input": of_input,
                    "weight_of_last_layer": of_last,
                }
            ),
            sentence=f"Layers that lose what entered their block raise the error of {error:.2f} % by "
            f"{cut['input']:.2f} points, layers that lose the one just before them by {cut['last']:.2f}.",
        )
