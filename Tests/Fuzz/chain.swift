import Chain
import Corefile
import Engine
import Memory
import Wire

/// The lines of a server block (rewrite, template, hosts, ...), and questions to what they make.
func fuzzChain(_ input: [UInt8]) {
  guard let resolver = resolver(input) else { return }
  ask(resolver)
}

/// A hosts file.
func fuzzHosts(_ input: [UInt8]) {
  guard let resolver = resolver(Array("hosts /etc/hosts {\nfallthrough\n}".utf8)) else { return }
  _ = resolver.files[0].load(input)
  ask(resolver)
}

private func resolver(_ lines: [UInt8]) -> ChainResolver? {
  let text = Array(". {\nforward . 10.0.0.1\n".utf8) + lines + Array("\n}\n".utf8)
  guard let configuration = try? Corefile.parse(text), let block = configuration.blocks.first else { return nil }
  return try? ChainResolver(block, ChainCounts())
}

/// Asks what corpora know and what they do not; an errand gets an answer with an alias and an address.
private func ask(_ resolver: ChainResolver) {
  let peer = Peer(octets: [2, 0, 0x12, 0x34, 10, 0, 0, 7])
  for (text, type) in [("a.example", 1), ("a.example", 28), ("1.0.0.10.in-addr.arpa", 12), ("B.a-1.x.test", 255)] {
    let name = ZoneName(text)!.wire
    let inquiry = Inquiry(
      name: name, spelling: name, type: UInt16(type), recordClass: 1, dnssecOK: false, checkingDisabled: false,
      options: [], peer: peer, server: peer, isStream: false, listener: "dns://10.0.0.1:53")
    check(resolver.resolve(inquiry), inquiry, steps: 4)
  }
}

private func check(_ resolution: Resolution, _ inquiry: Inquiry, steps: Int) {
  switch resolution {
  case .fail: break
  case .answer(let message, _, _): withBlock(message, fuzzResponse)
  case .forward(let errand):
    guard steps > 0, let then = errand.then else { return }
    let name = errand.asked?.name ?? inquiry.name
    let type = errand.asked?.type ?? inquiry.type
    let question = name + [UInt8(type >> 8), UInt8(truncatingIfNeeded: type), 0, 1]
    let alias: [UInt8] = [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 30, 0, 4, 1, 0x62, 0xC0, 12]
    let address: [UInt8] = [1, 0x62, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, 1]
    let message: [UInt8] = [0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0] + question + alias + address
    withBlock(message) { bytes in
      if let next = then(bytes) { check(next, inquiry, steps: steps - 1) }
    }
  }
}
