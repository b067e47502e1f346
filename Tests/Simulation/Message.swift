import Engine

/// A message taken apart: written without a look at the code under test, so that the two check each other.
struct Message {
  var id: UInt16 = 0
  var flags: UInt16 = 0
  /// As written: name, type and class.
  var question: [UInt8] = []
  var answers: [Content.Record] = []
  var authorities: [Content.Record] = []
  var additionals: [Content.Record] = []
  /// Payload size, TTL field and options of the OPT.
  var opt: (size: UInt16, ttl: UInt32, options: [UInt8])?

  var rcode: UInt16 { flags & 15 }
  var isTruncated: Bool { flags & 0x0200 != 0 }

  /// nil: malformed, or followed by something.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 12 else { return nil }
    var reader = MessageReader(bytes: bytes)
    id = reader.u16(0)
    flags = reader.u16(2)
    reader.at = 12
    for _ in 0..<reader.u16(4) {
      guard reader.name() != nil, reader.at + 4 <= bytes.count else { return nil }
      reader.at += 4
      question = Array(bytes[12..<reader.at])
    }
    for _ in 0..<reader.u16(6) {
      guard let record = reader.record() else { return nil }
      answers.append(record)
    }
    for _ in 0..<reader.u16(8) {
      guard let record = reader.record() else { return nil }
      authorities.append(record)
    }
    for _ in 0..<reader.u16(10) {
      let start = reader.at
      guard let record = reader.record() else { return nil }
      if record.type == 41 {
        guard opt == nil, record.owner == [0] else { return nil }
        opt = (reader.u16(start + 3), record.ttl, record.data)
      } else {
        additionals.append(record)
      }
    }
    guard reader.at == bytes.count else { return nil }
  }

  /// The name of the question, folded.
  var name: ArraySlice<UInt8> { question.dropLast(4).map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }[...] }
  var type: UInt16 { UInt16(question[question.count - 4]) << 8 | UInt16(question[question.count - 3]) }
}

/// Reads names and records at a moving offset.
struct MessageReader {
  let bytes: [UInt8]
  var at = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  func u16(_ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }

  /// The expanded name, folded.
  mutating func name() -> [UInt8]? {
    var name: [UInt8] = []
    var from = at
    var jumped = false
    for _ in 0..<300 {
      guard from < bytes.count else { return nil }
      let octet = Int(bytes[from])
      if octet & 0xC0 == 0xC0 {
        guard from + 1 < bytes.count else { return nil }
        if !jumped { at = from + 2 }
        jumped = true
        from = Int(u16(from) & 0x3FFF)
        continue
      }
      guard octet < 64, from + octet < bytes.count else { return nil }
      name.append(bytes[from])
      for letter in bytes[from + 1..<from + 1 + octet] {
        name.append(letter >= 0x41 && letter <= 0x5A ? letter | 0x20 : letter)
      }
      from += octet + 1
      if octet == 0 {
        if !jumped { at = from }
        return name
      }
    }
    return nil
  }

  mutating func record() -> Content.Record? {
    guard let owner = name(), at + 10 <= bytes.count else { return nil }
    let type = u16(at)
    let ttl = UInt32(u16(at + 4)) << 16 | UInt32(u16(at + 6))
    let end = at + 10 + Int(u16(at + 8))
    guard end <= bytes.count else { return nil }
    at += 10
    var data: [UInt8] = []
    for _ in 0..<(type == 6 ? 2 : type == 5 ? 1 : 0) {
      guard let name = name() else { return nil }
      data += name
    }
    guard at <= end else { return nil }
    data += bytes[at..<end]
    at = end
    return Content.Record(owner: owner, type: type, ttl: ttl, data: data)
  }
}

extension Event {
  /// The name, folded, that one is about: of a tapped message, which may be cut off or malformed behind it, the question's.
  func name(_ text: [UInt8]) -> ArraySlice<UInt8> {
    guard [.clientQuery, .clientResponse, .forwarderQuery, .forwarderResponse].contains(kind) else { return text[...] }
    var end = 12
    while end < text.count, text[end] > 0 { end += 1 + Int(text[end]) }
    return text.prefix(end + 1).dropFirst(12).map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }[...]
  }
}
