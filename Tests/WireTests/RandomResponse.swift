/// Random well-formed responses of every record layout, with pointers wherever a sender may be found to put one.
struct RandomResponse {
  var generator: Generator
  private(set) var octets: [UInt8] = []
  private var suffixes: [[UInt8]: Int] = [:]

  static let types = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 16, 17, 18, 21, 26, 28, 33, 35, 36, 39, 43, 46, 47, 48, 64, 65, 255, 257,
    65_280,
  ]

  init(seed: UInt64) { generator = Generator(seed: seed) }

  /// The question's name, folded, and the message. `compress`: whether names are compressed at all.
  mutating func make(records: Int, compress: Bool) -> (question: [UInt8], message: [UInt8]) {
    let question = randomName().map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    var counts = [0, 0, 0]
    for _ in 0..<records { counts[generator.below(3)] += 1 }
    let opt = generator.once(in: 2) ? generator.below(counts[2] + 1) : -1
    octets =
      Message(
        id: generator.below(65_536), flags: 0x8000 | generator.below(16), 1, counts[0], counts[1],
        counts[2] + (opt < 0 ? 0 : 1)
      ).octets
    suffixes = [:]
    write(question, compress: false)
    octets += u16(1) + u16(1)
    for section in 0..<3 {
      for index in 0...counts[section] {
        if section == 2, index == opt { octets += Message.Record.opt(size: 1232).octets }
        if index < counts[section] { record(compress: compress) }
      }
    }
    return (question, octets)
  }

  private mutating func record(compress: Bool) {
    write(randomName(), compress: compress)
    let type = Self.types[generator.below(Self.types.count)]
    octets += u16(type) + u16(generator.once(in: 8) ? 3 : 1)
    octets += u32(
      generator.once(in: 10) ? UInt32(truncatingIfNeeded: generator.next()) : UInt32(generator.below(86_400)))
    let lengthAt = octets.count
    octets += [0, 0]
    for part in Decoder.shapes[type] ?? "*" {
      switch part {
      case "n": write(randomName(), compress: compress)
      case "s":
        let text = generator.octets(generator.below(20))
        octets += [UInt8(text.count)] + text
      case "*": octets += generator.octets(generator.below(40))
      default: octets += generator.octets(part.wholeNumberValue ?? 0)
      }
    }
    octets.replaceSubrange(lengthAt..<lengthAt + 2, with: u16(octets.count - lengthAt - 2))
  }

  /// Labels from a small stock in both cases, so that names share suffixes, differ in case, and end in what another
  /// name's label ends in.
  private mutating func randomName() -> [UInt8] {
    let stock = ["a", "b", "www", "WWW", "svc", "Svc", "cluster", "evilcluster", "local", "LOCAL", "default", "x-1"]
    var name: [UInt8] = []
    for _ in 0..<generator.below(6) {
      let label =
        generator.once(in: 12)
        ? generator.octets(1 + generator.below(30)) : Array(stock[generator.below(stock.count)].utf8)
      name += [UInt8(label.count)] + label
    }
    return name + [0]
  }

  /// `name`, its tail replaced by a pointer to an equal one if there is one and fortune says so.
  private mutating func write(_ name: [UInt8], compress: Bool) {
    var rest = name[...]
    while rest.count > 1 {
      if compress, let offset = suffixes[Array(rest)], !generator.once(in: 5) {
        octets += pointer(offset)
        return
      }
      if octets.count <= 0x3FFF { suffixes[Array(rest)] = octets.count }
      let size = Int(rest.first!) + 1
      octets += rest.prefix(size)
      rest = rest.dropFirst(size)
    }
    octets.append(0)
  }
}
