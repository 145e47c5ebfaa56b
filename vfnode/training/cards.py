"""Model cards: what weights are, how they were made, what they reached, where they fail."""

_HEAD = """# {title}

{what}

## How it was made

{recipe}

No patient's image was used: all training images are drawn by the program. The
statistics behind the drawn anatomy come from published numbers (annotation of
Cancer500, CC BY-NC 4.0, Zakharov, Pisov et al., Medical Image Analysis 83, 2023;
Panjabi et al., Spine 16 and 17); nothing of those data is in the weights' folder.

## Figures on held-out synthetic images

| figure | value |
|---|---|
{table}

Synthetic figures say that training worked, not how well patients are measured:
for that, see the figures on real CT in the documentation.

## Limits

{limits}
"""


def vertebrae_card(figures: dict[str, float], minutes: float, images: int) -> str:
    """Card of the detector."""
    return _HEAD.format(
        title="Vertebra detector",
        what=(
            "Finds the vertebral bodies C3 to L5 on a straightened sagittal CT image of 1 mm and\n"
            "places six keypoints on each: anterior, middle and posterior, superior and inferior."
        ),
        recipe=(
            f"U-Net of 0.83 million parameters, trained for {minutes:g} minutes on one CPU core,\n"
            f"{images} drawn images, degraded anew at every reading."
        ),
        table=_table(figures),
        limits=(
            "The size of deformities is shrunk towards normal: heights are measured by the second\n"
            "look (`models/keypoints`). Off-midline images, fused levels and metal are drawn, but\n"
            "simply; children, tumours that destroy a body and transitional vertebrae are not."
        ),
    )


def keypoints_card(figures: dict[str, float], minutes: float, images: int) -> str:
    """Card of the second look."""
    return _HEAD.format(
        title="Keypoint refiner (second look)",
        what=(
            "Places the six keypoints of one vertebral body on a planar sagittal crop in the\n"
            "body's own frame, by heat-maps. The middle points lie where an endplate's outer edge\n"
            "falls to half of its peak on the image, as readers mark it: about 0.4 mm outside\n"
            "the bone at 1 mm slices, about 1 mm at 3 mm slices."
        ),
        recipe=(
            f"U-Net of 0.4 million parameters, trained for {minutes:g} minutes on one CPU core,\n"
            f"bodies of {images} drawn columns, degraded anew at every reading."
        ),
        table=_table(figures),
        limits=(
            "It relies on a first detection within about 4 mm. It may settle on the neighbour of\n"
            "a strongly crushed body; dents of one endplate beside a disc as dense as bone, and\n"
            "fused levels, are measured poorly."
        ),
    )


def levels_card(figures: dict[str, float], minutes: float, boxes: int) -> str:
    """Card of the level labeller."""
    return _HEAD.format(
        title="Level labeller",
        what=(
            "Says at each height of a straightened box of 128 x 192 mm around the spine which\n"
            "vertebral level stands there: C1 (with the skull), C2 to L5, sacrum. The names of\n"
            "the bodies are then decoded with the order of the column\n"
            "(`vfnode/spine/level_chain.py`)."
        ),
        recipe=(
            f"3D and 1D convolutions, 0.13 million parameters, trained for {minutes:g} minutes on\n"
            f"one CPU core, {boxes} drawn patients, resized, shortened, narrowed and degraded\n"
            "anew at every reading. One patient in twelve has 11 or 13 pairs of ribs; organs are\n"
            "moved up and down against the spine, so that ribs, pelvis and skull name the levels."
        ),
        table=_table(figures),
        limits=(
            "Counts from what the scan shows: without the first rib, the last rib, the sacrum or\n"
            "the skull in view names are a guess, and said to be one. T13 and L6 are decoded from\n"
            "the count alone; patients with such variants were drawn with ribs only."
        ),
    )


def _table(figures: dict[str, float]) -> str:
    return "\n".join(f"| {name} | {value:.3f} |" for name, value in figures.items())
