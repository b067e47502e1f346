"""A short course of Tools/chaos, always the same: no answer is wrong, and none comes twice."""

import re
import sys
import unittest

import harness


class Chaos(unittest.TestCase):
    def test_twenty_seconds(self):
        argv = [sys.executable, str(harness.ROOT / "Tools/chaos"), "--minutes", "0.33", "--rate", "200", "--seed", "4"]
        # A wrong answer is exit code 1.
        said = harness.run(*argv, seconds=120)
        number = lambda what: int(re.search(rf"^{what} .*?([\d,]+)$", said, re.M)[1].replace(",", ""))
        self.assertGreater(number("answers checked"), 1000, said)
        print(f"\n  figure Chaos: {number('answers checked')} answers, {number('lost')} lost, {number('failed')} failed", flush=True)


if __name__ == "__main__":
    unittest.main()
