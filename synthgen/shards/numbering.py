"""How samples are numbered: which shard holds which indices."""

from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe

PLAN_NAME = "plan.json"
"""The file of the plan, beside the shards."""


def shard_count(plan: Plan) -> int:
    """How many shards a plan has."""
    return shards_of(plan.recipe)


def shards_of(recipe: Recipe) -> int:
    """How many shards a recipe has."""
    return -(-recipe.count // recipe.output.shard_size)


def share_of(recipe: Recipe, worker: int, workers: int) -> range:
    """The shards of one of several workers, numbered from 0: every ``workers``-th, so that all have alike."""
    return range(worker, shards_of(recipe), workers)


def shard_indices(plan: Plan, shard: int) -> range:
    """The indices of the samples in a shard."""
    size = plan.recipe.output.shard_size
    return range(shard * size, min((shard + 1) * size, plan.recipe.count))
