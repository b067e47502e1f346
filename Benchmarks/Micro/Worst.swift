import Memory
import Wire

/// A name whose labels are all one octet.
private func name(labels count: Int, of octet: UInt8) -> [UInt8] {
  (0..<2 * count).map { $0 & 1 == 0 ? 1 : octet } + [0]
}

/// The most that 512 octets can ask of a reader of queries: a name of 127 labels, and 32 options. Admission, the fold, and an
/// error in the query's place.
final class WorstQuery: Workload {
  private let message = Region(size: 512)
  private let folded = Region(size: 256)
  private let options = Region(size: Reply.maxOptions)
  private let secret = HashSecret(chance.0, chance.1, chance.2)
  private let octets: [UInt8]
  private var right = 0

  init() {
    let options = [UInt8](repeating: 0, count: 31 * 4) + [0, 12, 0, 81] + [UInt8](repeating: 0, count: 81)
    let name = name(labels: 127, of: 0x41)
    octets =
      [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1] + name + [
        0, 1, 0, 1, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, UInt8(options.count),
      ]
      + options
  }

  func run() {
    let message = message.bytes.slice(0, octets.count)
    for _ in 0..<Benchmark.operations {
      message.write(octets)
      guard case .query(let query) = Admission(message, stream: false) else { return }
      let hash = Name.fold(
        message, at: Header.length, length: query.nameLength, into: folded.bytes, salt: 0, secret: secret)
      let echoed = query.edns?.echoedOptions(message, into: options.bytes) ?? 0
      let length = Reply.error(
        to: message, query: query, rcode: Rcode.servFail, options: options.bytes.slice(0, echoed))
      if hash != 0, length <= message.count { right &+= 1 }
    }
  }

  func finish() -> Int {
    defer { right = 0 }
    return right
  }
}

/// The most that a response of so many octets can ask for: records whose names are a label and a pointer to a name of 127
/// labels, until the bound on work refuses them. One of 64 KiB counts as 1,024 operations, of 64 octets each.
final class WorstResponse: Workload {
  private let message: Region
  private let question: Region
  private let length: Int
  private var images = ImageWriter()
  private var right = 0

  init(length: Int) {
    self.length = length
    message = Region(size: 65_536)
    question = Region(size: 512)
    let name = name(labels: 126, of: 0x61)
    question.bytes.write(name + [0, 1, 0, 1])
    var octets: [UInt8] = [0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0] + name + [0, 1, 0, 1]
    var count = 0
    while true {
      // `b` and all of the question but its first label; as data, `c` and the same: CNAME records off the chain.
      let record: [UInt8] = [1, 0x62, 0xC0, 14, 0, 5, 0, 1, 0, 0, 0, 30, 0, 4, 1, UInt8(0x63 + count % 20), 0xC0, 14]
      guard octets.count + record.count <= length else { break }
      octets += record
      count += 1
    }
    octets[6] = UInt8(count >> 8)
    octets[7] = UInt8(truncatingIfNeeded: count)
    message.bytes.write(octets)
  }

  func run() {
    let message = message.bytes.slice(0, length)
    let question = question.bytes.slice(0, 253 + 4)
    for _ in 0..<(length > 512 ? 1 : Benchmark.operations) {
      let response = images.write(message, question: question, chainOnly: length <= 512)
      if (response != nil) == (length <= 512) { right &+= length > 512 ? Benchmark.operations : 1 }
    }
  }

  func finish() -> Int {
    defer { right = 0 }
    return right
  }
}
