/// A message read the plain way, names expanded everywhere they may stand: what `Wire`'s output is compared with. Written
/// from the RFCs, apart from `Wire`, with arrays and recursion where `Wire` has offsets and bounds.
struct Decoded: Equatable {
  var id = 0
  var flags = 0
  var question: Question?
  var answers: [Item] = []
  var authorities: [Item] = []
  var additionals: [Item] = []

  struct Question: Equatable {
    var name: [UInt8]
    var type: Int
    var recordClass: Int
  }

  /// A record; `ttlAt` is where its TTL stands, and does not count in a comparison.
  struct Item: Equatable {
    var owner: [UInt8]
    var type: Int
    var recordClass: Int
    var ttl: UInt32
    var data: [UInt8]
    var ttlAt = 0
    var end = 0

    static func == (a: Item, b: Item) -> Bool {
      a.owner == b.owner && a.type == b.type && a.recordClass == b.recordClass && a.ttl == b.ttl && a.data == b.data
    }
  }

  var records: [Item] { answers + authorities + additionals }
  var opt: Item? { additionals.first { $0.type == 41 } }
}

struct Malformed: Error {}

struct Decoder {
  let octets: [UInt8]
  var at = 0

  /// All of `octets` as one message, nothing after it.
  static func message(_ octets: [UInt8]) throws -> Decoded {
    var decoder = Decoder(octets: octets)
    let message = try decoder.message()
    guard decoder.at == octets.count else { throw Malformed() }
    return message
  }

  private mutating func message() throws -> Decoded {
    var result = Decoded(id: try number(), flags: try number())
    let (questions, answers, authorities, additionals) = (try number(), try number(), try number(), try number())
    guard questions <= 1 else { throw Malformed() }
    if questions == 1 {
      result.question = .init(name: try name(), type: try number(), recordClass: try number())
    }
    for _ in 0..<answers { result.answers.append(try record()) }
    for _ in 0..<authorities { result.authorities.append(try record()) }
    for _ in 0..<additionals { result.additionals.append(try record()) }
    return result
  }

  private mutating func octet() throws -> UInt8 {
    guard at < octets.count else { throw Malformed() }
    defer { at += 1 }
    return octets[at]
  }

  private mutating func number() throws -> Int { Int(try octet()) << 8 | Int(try octet()) }

  private mutating func take(_ count: Int) throws -> [UInt8] {
    guard count >= 0, at + count <= octets.count else { throw Malformed() }
    defer { at += count }
    return Array(octets[at..<at + count])
  }

  private mutating func name(depth: Int = 0) throws -> [UInt8] {
    let length = try octet()
    switch length {
    case 0: return [0]
    case 1...63:
      let label = [length] + (try take(Int(length)))
      let whole = label + (try name(depth: depth))
      guard whole.count <= 255 else { throw Malformed() }
      return whole
    case 192...255:
      let start = at - 1
      let target = Int(length & 63) << 8 | Int(try octet())
      guard target < start, target >= 12, depth < 127 else { throw Malformed() }
      var there = Decoder(octets: octets, at: target)
      return try there.name(depth: depth + 1)
    default: throw Malformed()
    }
  }

  private mutating func record() throws -> Decoded.Item {
    var item = Decoded.Item(
      owner: try name(), type: try number(), recordClass: try number(), ttl: 0, data: [], ttlAt: at)
    item.ttl = UInt32(try number()) << 16 | UInt32(try number())
    let end = at + 2 + (try number())
    guard end <= octets.count else { throw Malformed() }
    let shape = Self.shapes[item.type] ?? "*"
    for part in shape {
      switch part {
      case "n": item.data += try name()
      case "*": item.data += try take(end - at)
      case "s":
        let length = try octet()
        item.data += [length] + (try take(Int(length)))
      default: item.data += try take(part.wholeNumberValue ?? 0)
      }
      guard at <= end else { throw Malformed() }
    }
    guard at == end else { throw Malformed() }
    item.end = end
    return item
  }

  /// Data with names in it: `n` a name, `s` a character-string, a digit that many octets, `*` the rest. From the RFCs
  /// of each type; every other type is octets (RFC 3597).
  static let shapes: [Int: String] = [
    2: "n", 3: "n", 4: "n", 5: "n", 6: "nn488", 7: "n", 8: "n", 9: "n", 12: "n", 14: "nn", 15: "2n", 17: "nn",
    18: "2n", 21: "2n", 26: "2nn", 33: "6n", 35: "4sssn", 36: "2n", 39: "n",
  ]
}
