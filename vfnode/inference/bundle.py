"""Model bundles: weights.safetensors, manifest.json and CARD.md in one folder.

safetensors, because loading weights must not be able to run code. The manifest
says what the weights are, how they were made and what they reached; its sha256
ties it to the weights.
"""

import dataclasses
import hashlib
import json
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from vfnode.durable_files import write_together
from vfnode.errors import ModelError
from vfnode.inference.model_input import input_fault
from vfnode.networks import ARCHITECTURES

ROLES = ("spine", "vertebrae", "keypoints", "levels")
WEIGHTS_NAME, MANIFEST_NAME, CARD_NAME = "weights.safetensors", "manifest.json", "CARD.md"


@dataclass(frozen=True)
class ModelManifest:
    """Description of one set of weights, and the command that makes it again."""

    name: str
    role: str  #: one of ROLES
    architecture: str  #: key of vfnode.networks.ARCHITECTURES
    arguments: Mapping[str, Any]  #: keyword arguments of the architecture
    spacing_mm: tuple[float, ...]  #: of the input: slowest axis first
    window_hu: tuple[float, float]  #: what lies outside is clipped
    normalisation: str  #: as vfnode.inference.model_input words it; "window": mapped to [0, 1]
    seed: int
    generator_version: str  #: of the synthetic images
    training: Mapping[str, Any]  #: steps, minutes, volumes, ...
    command: str  #: that makes the weights again
    held_out: Mapping[str, float] = field(default_factory=dict)  #: figure name with unit -> value
    sha256: str = ""  #: of weights.safetensors; filled by save_bundle

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ModelError(f"model {self.name}: role {self.role!r} is none of {ROLES}")
        if self.architecture not in ARCHITECTURES:
            raise ModelError(f"model {self.name}: unknown architecture {self.architecture!r}")
        fault = input_fault(self.role, self.spacing_mm, self.window_hu, self.normalisation)
        if fault:
            raise ModelError(f"model {self.name}: its manifest says {fault}")


@dataclass(frozen=True)
class LoadedModel:
    """A network ready for inference, with its manifest."""

    model: nn.Module
    manifest: ModelManifest


def models_dir(configured: Path | None = None) -> Path:
    """Folder that holds the bundles.

    In order: the `configured` one; `models/` beside the package (a checkout or
    an editable installation); `share/vfnode/models` of the environment (where
    `pip install .` puts data files).

    Raises:
        ModelError: none of them exists.
    """
    beside = Path(__file__).resolve().parents[2] / "models"
    installed = Path(sysconfig.get_path("data")) / "share" / "vfnode" / "models"
    candidates = [configured] if configured is not None else [beside, installed]
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise ModelError(f"no models folder at {' or '.join(map(str, candidates))}")


def load_bundle(folder: Path, device: str = "cpu") -> LoadedModel:
    """Read a bundle and build its network in evaluation mode.

    Raises:
        ModelError: a file is missing or malformed, the weights are not those
            of the manifest (sha256), or do not fit the architecture.
    """
    manifest = read_manifest(folder)
    weights_path = folder / WEIGHTS_NAME
    try:
        found = hashlib.sha256(weights_path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read {weights_path}: {error}") from error
    if found != manifest.sha256:
        raise ModelError(
            f"{weights_path} has sha256 {found}, its manifest says {manifest.sha256}: "
            "restore the model folder"
        )
    try:
        model = ARCHITECTURES[manifest.architecture](**manifest.arguments)
        model.load_state_dict(load_file(weights_path))
    except (TypeError, RuntimeError) as error:
        raise ModelError(f"{folder}: weights do not fit {manifest.architecture}") from error
    return LoadedModel(model.eval().to(device), manifest)


def read_manifest(folder: Path) -> ModelManifest:
    """Manifest of a bundle, without its weights.

    Raises:
        ModelError: missing, no manifest, or of a model that this release shows other input.
    """
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for key in ("spacing_mm", "window_hu"):
            content[key] = tuple(content[key])
        return ModelManifest(**content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"cannot read {path}: {error}") from error


def save_bundle(folder: Path, model: nn.Module, manifest: ModelManifest, card: str) -> Path:
    """Write a bundle; the manifest's sha256 is that of the weights written here.

    Returns:
        `folder`.
    """
    tensors: dict[str, torch.Tensor] = {
        name: tensor.detach().contiguous().cpu() for name, tensor in model.state_dict().items()
    }
    weights = save(tensors)
    complete = dataclasses.replace(manifest, sha256=hashlib.sha256(weights).hexdigest())
    text = json.dumps(dataclasses.asdict(complete), indent=2, ensure_ascii=False)
    files = {
        WEIGHTS_NAME: weights,
        CARD_NAME: card.encode("utf-8"),
        MANIFEST_NAME: f"{text}\n".encode(),
    }
    write_together(folder, files)
    return folder
