"""Runs the outside tests: python3 Tests/outside [MODULE...]

Modules that mostly wait run a few at a time; those that measure or load the machine run alone. RINGLET names the binary,
RINGLET_QUICK=1 shortens the loads.

Without a MODULE all run, and once more those to which the ring matters, where io_uring is forbidden and Ringlet takes
epoll: what the others test, flags and files and firewalls and tools, no ring comes near. RINGLET_RING chooses one
(harness.py), and then each runs once.

What fails is run once more, alone: on a machine that is shared, seconds without a processor happen. What passes then is
named at the end, so that a test that often needs it is seen. Not so where a query may never be lost: once is enough.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ALONE = (
    "test_benchmarks",
    "test_floods",
    "test_hot_path",
    "test_joining",
    "test_mutations",
    "test_pipelining",
    "test_saturation",
    "test_upstream_loss",
)
ON_BOTH_RINGS = (
    "test_admission",
    "test_cache",
    "test_chaos",
    "test_clients",
    "test_directives",
    "test_dnstap",
    "test_floods",
    "test_forgeries",
    "test_handover",
    "test_hot_path",
    "test_joining",
    "test_metrics",
    "test_mutations",
    "test_pairs",
    "test_pipelining",
    "test_reload",
    "test_saturation",
    "test_scenarios",
    "test_stale",
    "test_tcp_service",
    "test_time",
    "test_tls",
    "test_upstream_loss",
    "test_upstreams",
    "test_watchdog",
)
NO_SECOND_TRY = ("test_handover", "test_reload")
AT_ONCE = 4
LIMIT = 400  # seconds for one module
AGAIN = 10  # tests that may be run once more; with more of them it is no accident


def run(module, ring, tests=None):
    """((module, ring), seconds, exit code, output) of a module, or of some of its tests."""
    start = time.monotonic()
    argv = [sys.executable, "-m", "unittest", "-v", *(tests or [module])]
    try:
        env = {**os.environ, **({"RINGLET_RING": ring} if ring else {})}
        done = subprocess.run(
            argv, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, env=env
        )
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, output = 1, (late.stdout or b"").decode(errors="replace") + f"\n{module}: not done after {LIMIT} s\n"
    return (module, ring), time.monotonic() - start, code, output


def tell(job, seconds, code, output):
    """Prints a module's figures, or all it said where it failed; (tests run, names of those that failed, number
    skipped)."""
    module, ring = job
    output = re.sub(r"[^\x20-\x7e\n]", lambda odd: f"\\x{ord(odd[0]):02x}", output)
    ran = re.search(r"^Ran (\d+) test", output, re.M)
    skipped = re.search(r"^(?:OK|FAILED) \(.*skipped=(\d+)", output, re.M)
    # A test may fail in several of its subtests.
    failed = set(re.findall(r"^(?:FAIL|ERROR): \S+ \(([\w.]+)\)", output, re.M)) or ({module} if code else set())
    figures = "".join(re.findall(r"^  figure .*\n", output, re.M))
    print(
        f"{module}{f' (ring: {ring})' if ring else ''}: {'FAILED' if code else 'ok'}, {ran[1] if ran else 'no'} tests in {seconds:.0f} s",
        output if code else figures,
        sep="\n",
        end="",
        flush=True,
    )
    return int(ran[1]) if ran else len(failed), sorted(failed), int(skipped[1]) if skipped else 0


def main(modules):
    jobs = [(m.removesuffix(".py"), None) for m in modules] or [(p.stem, None) for p in sorted(HERE.glob("test_*.py"))]
    if not modules and "RINGLET_RING" not in os.environ:
        jobs += [(module, "forbidden") for module in ON_BOTH_RINGS]
    total, failures, skips = 0, {}, 0

    def note(done):
        nonlocal total, skips
        ran, failed, skipped = tell(*done)
        total, skips = total + ran, skips + skipped
        if failed:
            failures[done[0]] = failed

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, *job) for job in jobs if job[0] not in ALONE]):
            note(done.result())
    for job in jobs:
        if job[0] in ALONE:
            note(run(*job))

    unlucky = 0
    if sum(map(len, failures.values())) <= AGAIN:
        for job, tests in list(failures.items()):
            if job[0] in NO_SECOND_TRY:
                continue
            print(f"once more: {' '.join(tests)}")
            _, still, _ = tell(*run(*job, tests))
            unlucky += len(tests) - len(still)
            failures[job] = still
    failed = sum(map(len, failures.values()))
    print(f"{total - failed - skips} passed, {unlucky} of them at the second try, {failed} failed, {skips} skipped")
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
