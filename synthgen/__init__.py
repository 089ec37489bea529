"""synthgen: synthetic anomalies with exact masks for visual inspection.

A plan and an index make a sample, always the same one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthgen.detectors.choice import DetectorChoice
    from synthgen.diffusion.model import load_model
    from synthgen.diffusion.training.settings import TrainingSettings
    from synthgen.diffusion.training.train import train_diffusion
    from synthgen.engines.finish import finish
    from synthgen.engines.generate import generate
    from synthgen.evaluation.attention import attention_of
    from synthgen.evaluation.calibrate import calibrate
    from synthgen.evaluation.calibration import Calibration
    from synthgen.evaluation.evaluate import evaluate
    from synthgen.evaluation.fit import fit_detector, load_detector
    from synthgen.evaluation.score import score
    from synthgen.figures.preview import preview
    from synthgen.pipeline.dataset import AnomalyDataset
    from synthgen.pipeline.device_loader import DeviceLoader
    from synthgen.pipeline.freeze import freeze
    from synthgen.pipeline.pipeline import Pipeline
    from synthgen.pipeline.replay import replay
    from synthgen.pipeline.verify import verify
    from synthgen.plan.plan import Plan
    from synthgen.pretraining.pretrain import pretrain
    from synthgen.pretraining.settings import PretrainingSettings
    from synthgen.recipe.files import load_recipe
    from synthgen.recipe.recipe import Recipe
    from synthgen.sample import Facts, Sample
    from synthgen.sources.folders import FoldersSource
    from synthgen.validation.report import ValidationReport
    from synthgen.validation.tune import tune
    from synthgen.validation.validate import validate

_HOMES = {
    "AnomalyDataset": "pipeline.dataset",
    "Calibration": "evaluation.calibration",
    "DetectorChoice": "detectors.choice",
    "DeviceLoader": "pipeline.device_loader",
    "Facts": "sample",
    "FoldersSource": "sources.folders",
    "Pipeline": "pipeline.pipeline",
    "Plan": "plan.plan",
    "PretrainingSettings": "pretraining.settings",
    "Recipe": "recipe.recipe",
    "Sample": "sample",
    "TrainingSettings": "diffusion.training.settings",
    "ValidationReport": "validation.report",
    "attention_of": "evaluation.attention",
    "calibrate": "evaluation.calibrate",
    "evaluate": "evaluation.evaluate",
    "finish": "engines.finish",
    "fit_detector": "evaluation.fit",
    "freeze": "pipeline.freeze",
    "generate": "engines.generate",
    "load_detector": "evaluation.fit",
    "load_model": "diffusion.model",
    "load_recipe": "recipe.files",
    "pretrain": "pretraining.pretrain",
    "preview": "figures.preview",
    "replay": "pipeline.replay",
    "score": "evaluation.score",
    "train_diffusion": "diffusion.training.train",
    "tune": "validation.tune",
    "validate": "validation.validate",
    "verify": "pipeline.verify",
}
"""The public names, and the modules that they come from."""

__all__ = [
    "AnomalyDataset",
    "Calibration",
    "DetectorChoice",
    "DeviceLoader",
    "Facts",
    "FoldersSource",
    "Pipeline",
    "Plan",
    "PretrainingSettings",
    "Recipe",
    "Sample",
    "TrainingSettings",
    "ValidationReport",
    "attention_of",
    "calibrate",
    "evaluate",
    "finish",
    "fit_detector",
    "freeze",
    "generate",
    "load_detector",
    "load_model",
    "load_recipe",
    "pretrain",
    "preview",
    "replay",
    "score",
    "train_diffusion",
    "tune",
    "validate",
    "verify",
]


def __getattr__(name: str) -> Any:
    # Late, so that `synthgen --help` does not wait for torch and OpenCV.
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'synthgen' has no attribute {name!r}")
    return getattr(import_module(f"synthgen.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
