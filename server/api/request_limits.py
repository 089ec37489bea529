"""What a recipe in a request may contain: bounded work, and only what the server holds."""

from collections.abc import Sequence

from server.catalogue import Catalogue
from server.http.problems import Fault, Problem, refused
from server.settings import Settings
from synthgen.recipe.recipe import Recipe
from synthgen.regions.foreground import MaskFolder
from synthgen.synthesizers.common.diffusion import DiffusionSynthesizer


def require_modest(recipe: Recipe, settings: Settings) -> None:
    """Raise Problem where a recipe in a request wants more than is made for one."""
    faults = []
    if recipe.attempts > settings.max_attempts:
        detail = f"at most {settings.max_attempts} attempts are made for a request"
        faults.append(Fault("recipe.attempts", detail))
    if recipe.size != "native" and recipe.size[0] * recipe.size[1] > settings.max_sample_pixels:
        detail = f"samples of at most {settings.max_sample_pixels} pixels are made for a request"
        faults.append(Fault("recipe.size", detail))
    for number, each in enumerate(recipe.synthesizers):
        if isinstance(each, DiffusionSynthesizer):
            field = f"recipe.synthesizers.{number}.sampling"
            if each.sampling.steps > settings.max_steps:
                faults.append(Fault(f"{field}.steps", f"at most {settings.max_steps} are made for a request"))
            if each.sampling.batch > settings.max_sampling_batch:
                detail = f"at most {settings.max_sampling_batch} are made together for a request"
                faults.append(Fault(f"{field}.batch", detail))
    if faults:
        raise refused(f"{faults[0].field}: {faults[0].detail}", *faults)


def with_known_names(recipe: Recipe, catalogue: Catalogue) -> Recipe:
    """The recipe with its models where they lie.

    Raises Problem for what the server does not hold: a request names no path or URL.
    """
    if isinstance(recipe.foreground, MaskFolder):
        raise _unknown("recipe.foreground.masks", recipe.foreground.masks, [])
    synthesizers = []
    for number, synthesizer in enumerate(recipe.synthesizers):
        field = f"recipe.synthesizers.{number}"
        for name in synthesizer.collections() - {"builtin"}:
            raise _unknown(f"{field}.textures", name, ["builtin"])
        for name in synthesizer.banks():
            raise _unknown(f"{field}.bank", name, [])
        changes = {}
        for name in synthesizer.models():
            if name not in catalogue.paths:
                raise _unknown(f"{field}.model", name, list(catalogue.paths))
            changes["model"] = catalogue.paths[name]
        synthesizers.append(synthesizer.model_copy(update=changes))
    return recipe.model_copy(update={"synthesizers": synthesizers})


def _unknown(field: str, name: str, known: Sequence[str]) -> Problem:
    there_is = f"there is {', '.join(known)}" if known else "there is none"
    detail = f"{name[:100]!r} is nothing that this server holds ({there_is}); a request names no path or URL"
    return refused(f"{field}: {detail}", Fault(field, detail))
