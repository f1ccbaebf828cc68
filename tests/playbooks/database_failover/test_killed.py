"""One run of the benchmark of failover: a real cluster, real processes, the worker killed (kill -9) while it fails over."""

import pytest

from benchmarks.failover import run


@pytest.mark.processes
async def test_a_worker_that_is_killed_while_it_fails_over_leaves_one_writer_and_loses_nothing_unannounced() -> None:
    """`python -m benchmarks.failover 20` is the same with twenty seeds."""
    found = await run(5)  # cut off from two of three networks, killed at the fence: the product writes on until then
    assert found.wrong == [] and found.killed
    assert found.acknowledged > 20 and found.samples > 20
