"""Every promise of scenarios/*.txt, over UDP and TCP: a test per promise."""

import concurrent.futures
import pathlib
import unittest

import harness
import scenario

FILES = sorted((pathlib.Path(__file__).parent / "scenarios").glob("*.txt"))


class Scenarios(harness.OutsideCase):
    """All scenarios run at once, for they mostly wait; each test then looks at its own."""

    @classmethod
    def setUpClass(cls):
        cls.results = {}
        with concurrent.futures.ThreadPoolExecutor(len(FILES)) as files:
            for results in files.map(cls.run_file, FILES):
                cls.results.update(results)

    @classmethod
    def run_file(cls, path):
        """{(path, number of the scenario): [what was wrong]}"""
        case = harness.OutsideCase()
        case.setUp()
        group = scenario.Group(path)
        try:
            ringlet = case.start_ringlet_with(group.block)
            address = "127.0.0.1", ringlet.port
            with concurrent.futures.ThreadPoolExecutor(len(group.runs)) as runs:
                outcomes = {tag: runs.submit(run.go, address) for tag, run in group.runs.items()}
            results = {}
            for tag, outcome in outcomes.items():
                fault = outcome.exception()
                if fault and not isinstance(fault, scenario.Broken):
                    raise fault
                results.setdefault((path, group.runs[tag].scenario.number), []).extend([str(fault)] if fault else [])
            return results
        finally:
            for upstream in group.peers.values():
                upstream.stop()
            case.doCleanups()


def promise(path, number):
    def test(self):
        faults = self.results[path, number]
        if faults:
            self.fail("\n".join(faults))

    return test


for path in FILES:
    for one in scenario.read(path)[1]:
        test = promise(path, one.number)
        test.__doc__ = one.intent
        setattr(Scenarios, f"test_{path.stem.replace('-', '_')}_{one.line}", test)

if __name__ == "__main__":
    unittest.main()
