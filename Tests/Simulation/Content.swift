import Engine

/// The right answer to a question, or one that was right when the name was at an earlier version.
package struct Content {
  package struct Record: Equatable {
    /// Wire format, folded, not compressed; names in the data too.
    package var owner: [UInt8]
    package var type: UInt16
    package var ttl: UInt32
    package var data: [UInt8]

    /// Octets at most: compression only takes away.
    package var size: Int { owner.count + 10 + data.count }
  }

  package var rcode: UInt16 = 0
  package var answers: [Record] = []
  package var authorities: [Record] = []

  package init(_ asked: Asked, version: UInt64 = 0) {
    let h = version == 0 ? asked.seed : mix(asked.seed &+ version)
    let domain = Asked.domain(asked.number)
    let name = asked.name
    let ttl = UInt32(h >> 40 % 60) + 1
    switch h % 100 {
    case 0..<8:
      rcode = 3
      authorities = [Self.soa(domain, h, ttl)]
    case 8..<14: authorities = [Self.soa(domain, h, ttl)]
    case 14..<16: rcode = 2
    case 16..<17: rcode = 5
    case 17..<25:
      let target = Asked.label("c\(h % 1000)") + domain
      answers = [Record(owner: name, type: 5, ttl: ttl, data: target)] + Self.addresses(target, h, ttl, asked.type)
    case 25..<30:
      // Too large for a datagram.
      let texts = 3 + Int(h >> 20 % 12)
      answers = (0..<texts).map { index in
        Record(
          owner: name, type: asked.type, ttl: ttl,
          data: (0..<400).map { UInt8(truncatingIfNeeded: mix(h &+ UInt64(index)) >> UInt64($0 % 8 * 8)) })
      }
    default: answers = Self.addresses(name, h, ttl, asked.type)
    }
    // What only who asks for it gets: shows that answers with and without are kept apart.
    if asked.dnssecOK, !answers.isEmpty {
      answers.append(
        Record(owner: name, type: 46, ttl: ttl, data: (0..<40).map { UInt8(truncatingIfNeeded: h >> 3) &+ $0 }))
    }
  }

  /// Nanoseconds that it may be given for from when it came (RFC 2308, RFC 9520; spec/plugins.md, cache); without a cache
  /// only to those who wait.
  func lifetime(_ cache: Settings.Cache?) -> UInt64 {
    guard let cache else { return 0 }
    let seconds =
      switch rcode {
      case 2: cache.servfail
      case 5: UInt32(0)
      default:
        answers.isEmpty
          ? max(cache.denialMin, min(cache.denialMax, ttl)) : max(cache.successMin, min(cache.successMax, ttl))
      }
    return UInt64(seconds) * second
  }

  /// Seconds: the least of any record, 0 if there is none.
  package var ttl: UInt32 { (answers + authorities).map(\.ttl).min() ?? 0 }

  /// Octets of records, uncompressed.
  package var size: Int { (answers + authorities).reduce(0) { $0 + $1.size } }

  private static func addresses(_ owner: [UInt8], _ h: UInt64, _ ttl: UInt32, _ type: UInt16) -> [Record] {
    (0..<(1 + Int(h >> 12 % 3))).map { index in
      let bits = mix(h &+ UInt64(index))
      let length = type == 28 ? 16 : 4
      // TTLs of a set may differ in the wild; the least of them rules.
      return Record(
        owner: owner, type: type, ttl: ttl + UInt32(index) * UInt32(h >> 30 & 1),
        data: (0..<length).map { UInt8(truncatingIfNeeded: bits >> UInt64($0 % 8 * 8)) })
    }
  }

  private static func soa(_ domain: [UInt8], _ h: UInt64, _ ttl: UInt32) -> Record {
    let numbers = (0..<20).map { UInt8(truncatingIfNeeded: h >> UInt64($0 % 8 * 8)) }
    let data = Asked.label("ns") + domain + Asked.label("root") + domain + numbers
    return Record(owner: domain, type: 6, ttl: ttl, data: data)
  }
}
