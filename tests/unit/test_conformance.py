"""How `build.py conformance` reads what the suites print."""

from __future__ import annotations

from tidemark_py.dev.conformance import counts, results, stress_result

UNITTEST = """test_a (test.test_x.Case.test_a) ... ok
test_b (test.test_x.Case.test_b)
What it is about. ... noise of the test
ok
test_c (test.test_x.Case.test_c) ... FAIL
test_d (test.test_x.Case.test_d) ... skipped 'not here'

======================================================================
FAIL: test_c (test.test_x.Case.test_c)
----------------------------------------------------------------------
Traceback (most recent call last):
AssertionError

ERROR: test_e (test.test_x.Case.test_e)
----------------------------------------------------------------------
Ran 5 tests in 0.1s
"""


def test_unittest_results_by_name() -> None:
    found = results(UNITTEST)
    case = "test.test_x.Case."
    assert found == {f"{case}test_a": "ok", f"{case}test_b": "ok", f"{case}test_c": "FAIL", f"{case}test_d": "skipped",
                     f"{case}test_e": "ERROR"}  # fmt: skip
    assert counts(found) == "2 ok, 2 failed, 1 skipped" and counts({}) == "-"


def test_stress_results() -> None:
    passed = "stress-ng: info:  [2] passed: 1: pipe (1)\nstress-ng: info:  [2] failed: 0\n"
    assert stress_result("pipe", 0, passed) == ("passed", "")
    assert stress_result("pipe", 2, passed)[0] == "failed"
    failed = "stress-ng: fail:  [3] pipe: wrong data\n"
    assert stress_result("pipe", 2, failed) == ("failed", "pipe: wrong data (exit 2)")
    assert stress_result("x", 0, "stress-ng: info:  [2] skipped: 1: x (1)\n")[0] == "skipped"
    assert stress_result("x", 124, "timed out")[0] == "failed"
