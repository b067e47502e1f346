"""A and AAAA asked together from one socket, as getaddrinfo(3) does: their answers leave as one send."""

import json
import pathlib
import sys

import harness

CLIENT = pathlib.Path(__file__).with_name("pair_client.py")
PODS = 200


class Pairs(harness.OutsideCase):
    def ask(self, address, bind=None, mtu=65536):
        """How many sends the answers to a client in the server's namespace took."""
        netns = self.enterContext(harness.network_namespace())
        harness.run("ip", "-n", netns, "link", "set", "lo", "mtu", str(mtu))
        nsd = self.start_nsd(netns=netns)
        block = lambda port: harness.corefile(f"127.0.0.1:{nsd.port}", port=port, bind=(bind or address,))
        ringlet = self.start_ringlet_with(block, netns=netns, addresses=(address,))
        # `ip netns exec` became the server itself: its pid is the server's.
        output = harness.run(
            "ip", "netns", "exec", netns, sys.executable, str(CLIENT), address, str(ringlet.port), str(ringlet.pid), str(PODS)
        )
        result = json.loads(output)
        self.assertEqual(result["wrong"], [])
        self.assertEqual(result["answers"], 2 * PODS)
        self.report(f"{address}: {result['answers']} answers in {result['sent']} sends")
        return result["sent"]

    def test_one_send_for_both(self):
        for address in ("127.0.0.1", "::1"):
            with self.subTest(address):
                # A client's port says where a reply waits for its pair: two clients at one place part the others' pairs.
                self.assertLess(self.ask(address), PODS * 1.2)

    def test_wildcard_sockets_answer_singly(self):
        """They need the address that was asked as the source of each."""
        self.assertEqual(self.ask("127.0.0.1", bind="0.0.0.0"), 2 * PODS)

    def test_refused_pairs_are_sent_singly(self):
        """A segment must fit the path (the kernel says EINVAL): then nothing is lost, and no pair is tried again."""
        self.assertGreaterEqual(self.ask("127.0.0.1", mtu=100), 2 * PODS)


if __name__ == "__main__":
    harness.main()
