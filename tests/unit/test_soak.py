"""What `build.py soak` calls flat, and how `build.py conformance races` compares with a host that varies."""

from __future__ import annotations

from dataclasses import replace

from tidemark_py.dev.races import HOST_RUNS, Expected
from tidemark_py.dev.soak import GROWTH_BYTES, WARM_ROUNDS, Sample, verdict

FIRST = Sample(1, 1, 0, 0, 8, 10 << 20, 500 << 20)


def test_a_machine_that_stays_as_it_was_is_flat() -> None:
    warm = [replace(FIRST, heap_bytes=90 << 20, host_bytes=900 << 20)] * 20
    assert verdict(FIRST, [FIRST] * WARM_ROUNDS + warm) == []


def test_what_is_left_over_after_any_round_is_named() -> None:
    samples = [FIRST] * 9
    samples[4] = replace(FIRST, processes=3, busy=2)
    wrong = verdict(FIRST, samples)
    assert [w.partition(":")[0] for w in wrong] == ["processes", "busy"] and "round 5" in wrong[0]


def test_growth_from_the_first_third_to_the_last_is_named() -> None:
    grown = replace(FIRST, heap_bytes=FIRST.heap_bytes * 2 + GROWTH_BYTES)
    samples = [FIRST] * (WARM_ROUNDS + 6) + [grown] * 3
    assert [w.partition(":")[0] for w in verdict(FIRST, samples)] == ["heap_bytes"]


def test_a_host_that_varies_is_asked_again_and_not_for_ever() -> None:
    answers = iter(["a", "b"] + ["c"] * HOST_RUNS)
    expected = Expected("x", lambda _: next(answers))
    assert expected.has("a") and expected.asked == 1
    assert expected.has("b") and expected.asked == 2
    assert not expected.has("d") and expected.asked == HOST_RUNS
    assert not expected.has("e") and expected.asked == HOST_RUNS
