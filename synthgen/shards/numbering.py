"""How samples are numbered: which shard holds which indices."""

from synthgen.plan.plan import Plan

PLAN_NAME = "plan.json"
"""The file of the plan, beside the shards."""


def shard_count(plan: Plan) -> int:
    """How many shards a plan has."""
    return -(-plan.recipe.count // plan.recipe.output.shard_size)


def shard_indices(plan: Plan, shard: int) -> range:
    """The indices of the samples in a shard."""
    size = plan.recipe.output.shard_size
    return range(shard * size, min((shard + 1) * size, plan.recipe.count))
