import Memory
import Wire

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
    let name: [UInt8] = [[UInt8]](repeating: [1, 0x41], count: 127).joined() + [0]
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

/// The most that a response of so many octets can ask for, of some 4,000 that were tried. One of 64 KiB counts as 1,024
/// operations, of 64 octets each.
final class WorstResponse: Workload {
  private let message: Region
  private let question: Region
  private let length: Int
  private var images = ImageWriter()
  private var right = 0

  /// MINFO records of names that are a letter each, and each another: nothing is to be found again.
  static func letters(_ limit: Int) -> WorstResponse {
    WorstResponse(limit, first: []) { index in
      let names = (0..<3).map { [1, UInt8(truncatingIfNeeded: 3 * index + $0), 0] }
      return (14, names)
    }
  }

  /// Records of three names that are a letter and a pointer into a name of 126 labels in the first record's data: RP,
  /// whose names are written whole, or MINFO.
  static func pointers(_ limit: Int, type: UInt8) -> WorstResponse {
    let long: [UInt8] = [[UInt8]](repeating: [1, 0x61], count: 126).joined() + [0]
    return WorstResponse(limit, first: [0, 0, 46, 0, 1, 0, 0, 0, 30, 0, UInt8(long.count)] + long) { index in
      let target = UInt8(Header.length + 7 + 11 + 2 + 2 * (index % 20))
      return (type, (0..<3).map { [1, UInt8(0x62 + (index + $0) % 24), 0xC0, target] })
    }
  }

  /// A response to `a.` of `first`, then as many records as fit, of a type, their owner's and two more names.
  private init(_ limit: Int, first: [UInt8], _ record: (Int) -> (type: UInt8, names: [[UInt8]])) {
    message = Region(size: 65_536)
    question = Region(size: 512)
    let asked: [UInt8] = [1, 0x61, 0, 0, 1, 0, 1]
    question.bytes.write(asked)
    var octets: [UInt8] = [0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0] + asked + first
    var count = first.isEmpty ? 0 : 1
    while true {
      let (type, names) = record(count)
      let data = names[1] + names[2]
      let next = names[0] + [0, type, 0, 1, 0, 0, 0, 30, 0, UInt8(data.count)] + data
      guard octets.count + next.count <= limit else { break }
      octets += next
      count += 1
    }
    octets[8] = UInt8(count >> 8)
    octets[9] = UInt8(truncatingIfNeeded: count)
    length = octets.count
    message.bytes.write(octets)
  }

  func run() {
    let message = message.bytes.slice(0, length)
    let question = question.bytes.slice(0, 7)
    let isLong = length > 512
    for _ in 0..<(isLong ? 1 : Benchmark.operations) {
      if images.write(message, question: question, chainOnly: true) != nil {
        right &+= isLong ? Benchmark.operations : 1
      }
    }
  }

  func finish() -> Int {
    defer { right = 0 }
    return right
  }
}
