"""Clean data stay as they are: a small version of the benchmark, and the shapes that once misled cleaning."""

import pytest

from benchmarks.clean_data import FLAGGED, make, score


@pytest.mark.parametrize("seeds", [range(1, 9), range(9, 17), range(17, 25)])
def test_no_true_number_is_altered_and_few_are_flagged(seeds):
    found = [score(source, source.clean()) for source in (make(seed, most=25) for seed in seeds)]
    assert not any(f["altered"] or f["different"] for f in found), found
    assert sum(f["flagged"] for f in found) < 2 * FLAGGED * sum(f["numbers"] for f in found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [29, 86, 136])
def test_many_branches_that_move_together_and_enter_late_are_not_exchanged(seed):
    source = make(seed)
    found = score(source, source.clean())
    assert not found["altered"] and "swapped_rows" not in found["rules"]
