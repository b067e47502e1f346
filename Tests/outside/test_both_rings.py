"""io_uring and epoll give the same octets: what a client of one sees, a client of the other sees, but for TTLs."""

import threading
import unittest
from unittest import mock

import clients
import dnswire
import harness
import scenario
import test_admission
import test_scenarios

RINGS = ("io_uring", "epoll")


def masked(reply):
    return dnswire.without_ttls(reply) if reply else reply


class BothRings(unittest.TestCase):
    def same(self, exchanges):
        """`exchanges(ring)`: each query with its reply, in the order of asking, by who asked."""
        one, other = (exchanges(ring) for ring in RINGS)
        self.assertEqual(one.keys(), other.keys())
        for who in one:
            self.assertEqual(
                [(packet, masked(reply)) for packet, reply in one[who]],
                [(packet, masked(reply)) for packet, reply in other[who]],
                who,
            )
        count = sum(map(len, one.values()))
        print(f"\n  figure {self.id().partition('.')[2]}: {count} replies, each the same octets from both", flush=True)

    def test_admission(self):
        """Every query of test_admission."""

        def exchanges(ring):
            seen = {}

            def record(ask, packet_at):
                def asked(*args, **options):
                    reply = ask(*args, **options)
                    seen.setdefault("test_admission", []).append((args[packet_at], reply))
                    return reply

                return asked

            result = unittest.TestResult()
            with (
                mock.patch.object(harness, "RING", ring),
                mock.patch.object(clients, "ask", record(clients.ask, 1)),
                mock.patch.object(clients, "ask_tcp", record(clients.ask_tcp, 1)),
                mock.patch.object(test_admission.AdmissionCase, "ask", record(test_admission.AdmissionCase.ask, 1)),
            ):
                unittest.defaultTestLoader.loadTestsFromModule(test_admission).run(result)
            self.assertTrue(result.wasSuccessful(), result.failures + result.errors)
            return seen

        self.same(exchanges)

    def test_scenarios(self):
        """Every query of the scenarios, over UDP and TCP."""

        def exchanges(ring):
            seen, lock = {}, threading.Lock()
            exchange = scenario.Run.exchange

            def recorded(run, address, packet, patience):
                reply = exchange(run, address, packet, patience)
                with lock:
                    seen.setdefault((run.scenario.path.name, run.scenario.intent, run.transport), []).append((packet, reply))
                return reply

            with mock.patch.object(harness, "RING", ring), mock.patch.object(scenario.Run, "exchange", recorded):
                test_scenarios.Scenarios.setUpClass()
            return seen

        self.same(exchanges)


if __name__ == "__main__":
    unittest.main()
