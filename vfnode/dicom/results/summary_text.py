"""The result in words, for viewers and people that read nothing else."""

from __future__ import annotations

from dataclasses import asdict

from vfnode.dicom.conclusion_text import conclusion_sentences, summary
from vfnode.dicom.reading.ct_series import CTSeries, SlicePlace
from vfnode.dicom.results.result_context import ResultContext
from vfnode.dicom.templates import texts
from vfnode.dicom.wording import level_certainty, level_label, reason_text, tracking_name, words
from vfnode.spine.finding import VertebraFinding
from vfnode.spine.genant import height_loss_posterior
from vfnode.spine.report import Analysis, FractureReport


def slice_text(place: SlicePlace, language: str) -> str:
    """Slice of the CT that shows a body, e.g. "image 212 (slice 64/275)"."""
    wording = words(language)
    number = place.instance.instance_number
    kind = "slice" if number is not None else "slice_without_instance"
    return str(wording[kind].format(instance=number, number=place.number, count=place.count))


def slice_texts(analysis: Analysis, series: CTSeries, language: str) -> tuple[str, ...]:
    """:func:`slice_text` of every body, in order."""
    return tuple(
        slice_text(series.place_of(finding.centre_patient_mm), language)
        for finding in analysis.report.vertebrae
    )


def headline(context: ResultContext) -> str:
    """The first sentence of the answer."""
    return f"{summary(context.analysis.report, context.settings.language)}."


def paragraph(context: ResultContext) -> str:
    """The whole answer: conclusion, each abnormal body, limits, warning."""
    report, language = context.analysis.report, context.settings.language
    wording = texts("sr_texts.json", language)
    phrases, limits = wording["paragraph"], report.limits
    sentences = [f"{sentence}." for sentence in conclusion_sentences(report, language)]
    sentences += _abnormal(context)
    sentences += _looked_at(context)
    if report.quality:
        reasons = "; ".join(reason_text(reason, language) for reason in report.quality)
        sentences.append(phrases["quality"].format(reasons=reasons))
    if context.replaces:
        created = context.replaces.created.strftime("%Y-%m-%d %H:%M")
        sentences.append(phrases["replaces"].format(created=created))
    sentences.append(phrases["limits"].format(**asdict(limits)))
    return " ".join([*sentences, wording["research"]])


def _looked_at(context: ResultContext) -> list[str]:
    """One sentence on how much of the patient was looked at; none of a series without volume."""
    series, report = context.series, context.analysis.report
    if not isinstance(series, CTSeries) or not report.vertebrae:
        return []
    phrase = texts("sr_texts.json", context.settings.language)["paragraph"]["looked_at"]
    first, last = (tracking_name(report, i) for i in (0, len(report.vertebrae) - 1))
    sentence = phrase.format(
        covered=series.covered_mm,
        first=first,
        last=last,
        measured=len(series.instances),
        left_out=len(series.left_out),
    )
    return [str(sentence)]


def _certainty(report: FractureReport, index: int, language: str) -> str:
    phrase = texts("sr_texts.json", language)["paragraph"][
        f"level_{level_certainty(report, index)}"
    ]
    return str(phrase.format(certainty=report.vertebrae[index].level_confidence))


def _probability(finding: VertebraFinding, language: str) -> str:
    """Probability of a moderate or severe deformity, in words; empty if unknown."""
    if finding.probability_moderate is None:
        return ""
    phrase = texts("sr_texts.json", language)["paragraph"]["probability"]
    return str(phrase.format(probability=finding.probability_moderate))


def _abnormal(context: ResultContext) -> list[str]:
    """One sentence of numbers a body with a grade above normal, or a borderline one."""
    language = context.settings.language
    phrase = texts("sr_texts.json", language)["paragraph"]["abnormal"]
    sentences = []
    for index, finding in enumerate(context.analysis.report.vertebrae):
        if not (finding.is_deformed or finding.is_borderline):
            continue
        anterior, middle, posterior = (float(height) for height in finding.heights_mm)
        sentences.append(
            phrase.format(
                level=level_label(context.analysis.report, index),
                ratio=finding.height_ratio,
                loss=height_loss_posterior(finding.heights_mm),
                probability=_probability(finding, language),
                anterior=anterior,
                middle=middle,
                posterior=posterior,
                certainty=_certainty(context.analysis.report, index, language),
                slice=slice_text(context.slice_of(finding), language),
            )
        )
    return sentences
