import Memory

/// What reads bytes that somebody else wrote. Each target takes any bytes: it returns, or the process dies.
///
/// `Tools/fuzz` gives them to libFuzzer under AddressSanitizer for as long as one likes; `FuzzTests` runs a seeded few
/// thousand with every build.
public enum FuzzTarget: String, CaseIterable, Sendable {
  case query, response, edns, framing, corefile, template, chain, hosts
  case resolvConf = "resolv.conf"

  public func run(_ input: [UInt8]) {
    switch self {
    case .query: withBlock(input, fuzzQuery)
    case .response: withBlock(input, fuzzResponse)
    case .edns: fuzzEDNS(input)
    case .framing: fuzzFraming(input)
    case .corefile: fuzzCorefile(input)
    case .template: fuzzTemplate(input)
    case .chain: fuzzChain(input)
    case .hosts: fuzzHosts(input)
    case .resolvConf: fuzzResolvConf(input)
    }
  }
}

/// Gives `body` a copy of the input in a heap block of exactly its size, so that AddressSanitizer sees an access past its
/// end. (`Bytes` would trap first, which counts as a crash too.)
func withBlock(_ input: [UInt8], _ body: (Bytes) -> Void) {
  let block = UnsafeMutableRawPointer.allocate(byteCount: input.count, alignment: 1)
  defer { unsafe block.deallocate() }
  unsafe input.withUnsafeBytes {
    unsafe block.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(block), byteCount: $0.count)
  }
  // The block is as long as the input, and outlives the call.
  body(unsafe Bytes(base: block, count: input.count))
}
