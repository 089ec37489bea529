"""What the intervals and claims of a validation promise, in more simulations than the tests have time for.

`python -m tests.studies.validation_intervals` takes less than a minute.
"""

import pytest

from tests.validation.test_simulations import coverage, false_winners

COVERAGE_RUNS, NULL_RUNS = 3000, 2000


def main() -> None:
    """Print the shares."""
    with pytest.MonkeyPatch.context() as patch:
        for name, share in coverage(patch, COVERAGE_RUNS).items():
            print(f"95 % interval of a {name}: holds the truth in {share:.1%} of {COVERAGE_RUNS:,} runs")
        share = false_winners(patch, NULL_RUNS)
        print(f"six equal recipes: a false winner in {share:.1%} of {NULL_RUNS:,} runs")


if __name__ == "__main__":
    main()
