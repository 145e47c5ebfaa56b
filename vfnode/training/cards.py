"""Model cards: what weights are, how they were made, what they reached, where they fail."""

from collections.abc import Mapping
from typing import Any

from vfnode.inference.bundle import ModelManifest

_HEAD = """# {title}

{what}

## How it was made

{recipe}

`{command}`

{data}

The statistics behind the drawn anatomy come from published numbers (annotation of
Cancer500, CC BY-NC 4.0, Zakharov, Pisov et al., Medical Image Analysis 83, 2023;
Panjabi et al., Spine 16 and 17); nothing of those data is in the weights' folder.

## Figures on held-out synthetic images

| figure | value |
|---|---|
{table}

Synthetic figures say that training worked, not how well patients are measured:
for that, and for known failures with pictures, see docs/models.md.

## Limits

{limits}
"""


def vertebrae_card(manifest: ModelManifest) -> str:
    """Card of the detector."""
    made = manifest.training
    return _HEAD.format(
        title="Vertebra detector",
        what=(
            "Finds the vertebral bodies C3 to L5 on a straightened sagittal CT image of 1 mm and\n"
            "places six keypoints on each: anterior, middle and posterior, superior and inferior."
        ),
        recipe=(
            f"U-Net of 0.83 million parameters, trained for {made['minutes']:g} minutes\n"
            f"({made['device']}) on {made['images']} drawn images, degraded anew at every reading."
        ),
        command=manifest.command,
        data=_data(made),
        table=_table(manifest.held_out),
        limits=(
            "The size of deformities is shrunk towards normal: heights are measured by the second\n"
            "look (`models/keypoints`). Off-midline images, fused levels and metal are drawn, but\n"
            "simply; children, tumours that destroy a body and transitional vertebrae are not."
        ),
    )


def keypoints_card(manifest: ModelManifest) -> str:
    """Card of the second look."""
    made = manifest.training
    return _HEAD.format(
        title="Keypoint refiner (second look)",
        what=(
            "Places the six keypoints of one vertebral body on a planar sagittal crop in the\n"
            "body's own frame, by heat-maps. All six lie where an endplate's outer edge falls\n"
            "to half of its peak on the image, as readers mark it: about 0.4 mm outside the\n"
            "bone at 1 mm slices, about 1 mm at 3 mm slices."
        ),
        recipe=(
            f"U-Net of 1.5 million parameters, trained for {made['minutes']:g} minutes\n"
            f"({made['device']}) on bodies of {made['columns']} drawn columns,\n"
            "degraded anew at every reading."
        ),
        command=manifest.command,
        data=_data(made),
        table=_table(manifest.held_out),
        limits=(
            "It relies on a first detection within about 4 mm. It may settle on the neighbour of\n"
            "a strongly crushed body; dents of one endplate beside a disc as dense as bone, and\n"
            "fused levels, are measured poorly."
        ),
    )


def levels_card(manifest: ModelManifest) -> str:
    """Card of the level labeller."""
    made = manifest.training
    return _HEAD.format(
        title="Level labeller",
        what=(
            "Says at each height of a straightened box of 128 x 192 mm around the spine which\n"
            "vertebral level stands there: C1 (with the skull), C2 to L5, sacrum. The names of\n"
            "the bodies are then decoded with the order of the column\n"
            "(`vfnode/spine/level_chain.py`)."
        ),
        recipe=(
            "3D and 1D convolutions, 0.13 million parameters, trained for"
            f" {made['minutes']:g} minutes\n({made['device']}) on {made['boxes']} drawn patients,"
            " resized, shortened, narrowed and degraded\nanew at every reading. One patient in"
            " twelve has 11 or 13 pairs of ribs; organs are\n"
            "moved up and down against the spine, so that ribs, pelvis and skull name the levels."
        ),
        command=manifest.command,
        data=_data(made),
        table=_table(manifest.held_out),
        limits=(
            "Counts from what the scan shows: without the first rib, the last rib, the sacrum or\n"
            "the skull in view names are a guess, and said to be one. T13 and L6 are decoded from\n"
            "the count alone; patients with such variants were drawn with ribs only."
        ),
    )


def _data(made: Mapping[str, Any]) -> str:
    """Origin of the images that the weights have seen."""
    data = made["data"]
    if isinstance(data, str):
        return f"No patient's image was used; data: {data}. Images are drawn by the program."
    started = made.get("started from")
    before = ""
    if started:
        before = (
            f" Training started from the weights `{started['sha256'][:12]}`; these are the mean of"
            f" the trained ones ({made['blend']:.0%}) and those."
        )
    left = ", ".join(data["left out"]) or "nobody"
    used = (
        f"**Real CT were used**: {data['share']:.0%} of what was read came from"
        f" {', '.join(data['sets'])}, patients {', '.join(data['patients'])}; left out: {left}."
        f"{before} The other images are drawn by the program."
    )
    return "\n".join([used, *(f"\n- {one}" for one in data["attribution"])])


def _table(figures: Mapping[str, float]) -> str:
    return "\n".join(f"| {name} | {value:.3f} |" for name, value in figures.items())


def spine_card(manifest: ModelManifest) -> str:
    """CARD.md of the bundle."""
    rows = "\n".join(f"| {name} | {value:g} |" for name, value in manifest.held_out.items())
    recipe = "\n".join(f"- {name}: {value}" for name, value in manifest.training.items())
    return f"""# Spine localiser

Finds the centre line of the vertebral bodies C3 to L5 in a CT of the trunk: a heat-map per
axial slice, and the probability that the slice holds spine. Stage 1 of Zakharov, Pisov et al.,
Medical Image Analysis 83 (2023); architecture `{manifest.architecture}`.

**Trained on synthetic images only** (generator {manifest.generator_version}): no patient's
image, and no weights of others, went into it.

## Input

CT in Hounsfield units, resampled to {manifest.spacing_mm} mm (z, y, x) by
`vfnode.spine.resample`, {manifest.window_hu} HU mapped to 0 to 1, padded with air.

## Recipe

`{manifest.command}`

{recipe}
- loss: mean absolute error of the soft-argmax (cm), binary cross-entropy of the slice
  probability, 0.3 cross-entropy against a Gaussian of 1.2 heat-map pixels (4 mm)
- AdamW, warm-up, cosine, gradient clip 5, EMA 0.998, bfloat16 autocast, seed {manifest.seed}

The schedule follows the clock, so another machine takes another number of steps and gives
other weights; the figures below are those of these weights.

## Held-out figures, synthetic CT of other seeds

| figure | value |
|---|---|
{rows}

Figures on real CT are in the repository's accuracy report, not here. No real CT was trained on,
but the generator was adjusted after looking at results on the five CT of that report: its
figures are not blind.

## Limits

- The curve is a centre line for straightening, not a segmentation.
- The ends are uncertain by about one vertebra where C2 or the sacrum is in the volume.
- Never shown: children, block or butterfly vertebrae, scoliosis beyond about 40 degrees, spines
  with long metal constructs, patients lying on their side.
"""
