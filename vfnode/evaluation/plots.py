"""Pictures of an evaluation as SVG text: G against truth, Bland-Altman, ROC, calibration."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from sklearn.metrics import roc_curve

from vfnode.evaluation.metrics import height_errors, pairs_of, ratios
from vfnode.evaluation.probability import calibration_error, reliability
from vfnode.evaluation.probability import stated as probabilities
from vfnode.evaluation.ranking import TASKS, Results, auc, patients, task_of, vertebrae
from vfnode.spine.genant import GenantLimits

SIZE_INCHES = (4.4, 3.8)
COLOURS = ("#1f5fa8", "#c2541b", "#2c8a4b")
#: thousands of dots as one picture, not as thousands of vector shapes
DOTS: dict[str, Any] = {"color": COLOURS[0], "markersize": 4, "alpha": 0.6, "rasterized": True}
LIMITS = GenantLimits()

Draw = Callable[[Axes, Results], None]


def ratio_scatter(axes: Axes, results: Results) -> None:
    """Found against true G with the limits of the grades."""
    true, found = ratios(results)
    lowest = min(0.3, float(true.min()), float(found.min())) - 0.02
    axes.plot([lowest, 1], [lowest, 1], color="#888", linewidth=1)
    for limit in (LIMITS.mild, LIMITS.moderate, LIMITS.severe):
        axes.axvline(limit, color="#ddd", linewidth=0.8, zorder=0)
        axes.axhline(limit, color="#ddd", linewidth=0.8, zorder=0)
    axes.plot(true, found, ".", **DOTS)
    axes.set(xlabel="true height ratio G", ylabel="found G", title="Height ratio")
    axes.set(xlim=(lowest, 1.02), ylim=(lowest, 1.02))


def ratio_bland_altman(axes: Axes, results: Results) -> None:
    """Difference against mean of found and true G."""
    true, found = ratios(results)
    _bland_altman(axes, true, found, "G")


def height_bland_altman(axes: Axes, results: Results) -> None:
    """Difference against mean of all found and true heights."""
    heights = pairs_of(results).reshape(-1, 2)
    _bland_altman(axes, heights[:, 0], heights[:, 1], "height, mm")


def _bland_altman(axes: Axes, true: np.ndarray, found: np.ndarray, name: str) -> None:
    difference = found - true
    mean, spread = float(difference.mean()), float(difference.std())
    axes.plot(
        (true + found) / 2,
        difference,
        ".",
        color=COLOURS[0],
        markersize=4,
        alpha=0.6,
        rasterized=True,
    )
    axes.axhline(mean, color=COLOURS[1], linewidth=1.2, label=f"mean {mean:+.3f}")
    for sign in (-1, 1):
        limit = mean + sign * 1.96 * spread
        label = f"limits of agreement ±{1.96 * spread:.3f}" if sign > 0 else None
        axes.axhline(limit, color=COLOURS[1], linewidth=1, linestyle="--", label=label)
    axes.set(xlabel=f"mean of found and true {name}", ylabel="found - true")
    axes.set(title=f"Bland-Altman: {name}")
    axes.legend(fontsize=7, frameon=False)


def vertebra_roc(axes: Axes, results: Results) -> None:
    """ROC of the three tasks over vertebrae."""
    _roc(axes, results, "vertebrae")


def patient_roc(axes: Axes, results: Results) -> None:
    """ROC of the three tasks over patients."""
    _roc(axes, results, "patients")


def _roc(axes: Axes, results: Results, who: str) -> None:
    ranked = vertebrae(results) if who == "vertebrae" else patients(results)
    for task, colour in zip(TASKS, COLOURS, strict=True):
        labels, scores = task_of(ranked, task)
        if len(np.unique(labels)) > 1:
            false_positive, sensitivity, _ = roc_curve(labels, scores)
            label = f"{task}: AUC {auc(labels, scores):.3f}"
            axes.plot(false_positive, sensitivity, color=colour, linewidth=1.4, label=label)
    axes.plot([0, 1], [0, 1], color="#ccc", linewidth=0.8)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title=f"ROC: {who}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False, loc="lower right")


def calibration(axes: Axes, results: Results) -> None:
    """Error of each height against its stated uncertainty."""
    stated, error = height_errors(results)
    axes.plot(stated, error, ".", **DOTS)
    most = float(np.nanmax(stated)) if np.isfinite(stated).any() else 1.0
    axes.plot([0, most], [0, most], color="#888", linewidth=1, label="error = uncertainty")
    axes.plot([0, most], [0, 2 * most], color="#bbb", linewidth=1, label="twice")
    axes.set(xlabel="stated uncertainty, mm", ylabel="error of a height, mm")
    axes.set(title="Stated uncertainty")
    axes.legend(fontsize=7, frameon=False)


def reliability_diagram(axes: Axes, results: Results) -> None:
    """Observed share of moderate and severe bodies against the stated probability."""
    parts = reliability(results)
    axes.plot([0, 1], [0, 1], color="#888", linewidth=1)
    places = [part.stated for part in parts]
    axes.plot(places, [part.observed for part in parts], "o-", color=COLOURS[0], markersize=4)
    for part in parts:
        axes.annotate(str(part.bodies), (part.stated, part.observed), fontsize=7)
    error = calibration_error(results)
    axes.set(xlabel="stated P(moderate or worse)", ylabel="observed share")
    axes.set(title=f"Reliability, calibration error {error:.3f}")


PLOTS: dict[str, Draw] = {
    "ratio": ratio_scatter,
    "ratio-bland-altman": ratio_bland_altman,
    "height-bland-altman": height_bland_altman,
    "vertebra-roc": vertebra_roc,
    "patient-roc": patient_roc,
    "calibration": calibration,
    "reliability": reliability_diagram,
}


def plots_of(results: Results) -> dict[str, str]:
    """Every plot that the results have the numbers for: name -> SVG element."""
    measured = len(ratios(results)[0]) > 0
    graded = len(vertebrae(results).grade) > 0
    stated = bool(np.isfinite(height_errors(results)[0]).any())
    likely = len(probabilities(results)[0]) > 0
    wanted = {"roc": graded, "calibration": stated, "reliability": likely}
    names = [name for name in PLOTS if wanted.get(name.rpartition("-")[2], measured)]
    return {name: _svg(PLOTS[name], results) for name in names}


def _svg(draw: Draw, results: Results) -> str:
    drawing = Drawing(figsize=SIZE_INCHES, layout="constrained")
    axes = drawing.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    draw(axes, results)
    stream = io.StringIO()
    drawing.savefig(stream, format="svg", dpi=130, metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
