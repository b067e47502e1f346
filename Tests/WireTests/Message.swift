import Memory

/// The wire form of a name in presentation form without escapes: `www.example.` or `.`.
func wire(_ name: String) -> [UInt8] {
  name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
}

/// A name of `length` octets: labels of 63 octets, then one of what is left.
func name(ofLength length: Int, letter: UInt8 = 0x61) -> [UInt8] {
  var octets: [UInt8] = []
  while octets.count < length - 1 {
    // No label may leave one octet over: it would have no room for a length and a letter.
    var label = min(63, length - 2 - octets.count)
    if length - 1 - octets.count - label - 1 == 1 { label -= 1 }
    octets += [UInt8(label)] + [UInt8](repeating: letter, count: label)
  }
  return octets + [0]
}

/// Octets of a 16-bit number in network order.
func u16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }
func u32(_ value: UInt32) -> [UInt8] { u16(Int(value >> 16)) + u16(Int(value & 0xFFFF)) }

/// A message under construction, octet by octet: the tests' own writer, which shares nothing with `Wire`.
struct Message {
  var octets: [UInt8]

  init(
    id: Int = 0x1234, flags: Int = 0x0100, _ questions: Int = 1, _ answers: Int = 0, _ authorities: Int = 0,
    _ additionals: Int = 0
  ) {
    octets = u16(id) + u16(flags) + u16(questions) + u16(answers) + u16(authorities) + u16(additionals)
  }

  /// With one question.
  static func query(
    _ name: [UInt8] = wire("www.example."), type: Int = 1, class: Int = 1, flags: Int = 0x0100, additionals: Int = 0
  ) -> Message {
    var message = Message(flags: flags, 1, 0, 0, additionals)
    message.octets += name + u16(type) + u16(`class`)
    return message
  }

  /// A response to `question` in `Section.answer`, `.authority`, `.additional` order.
  static func response(
    _ question: [UInt8], type: Int = 1, flags: Int = 0x8180, answers: [Record] = [], authorities: [Record] = [],
    additionals: [Record] = []
  ) -> Message {
    var message = Message(flags: flags, 1, answers.count, authorities.count, additionals.count)
    message.octets += question + u16(type) + u16(1)
    for record in answers + authorities + additionals { message.octets += record.octets }
    return message
  }

  /// A record as it stands on the wire; `owner` and `data` in wire form.
  struct Record {
    var owner: [UInt8]
    var type: Int
    var recordClass = 1
    var ttl: UInt32 = 300
    var data: [UInt8]

    var octets: [UInt8] { owner + u16(type) + u16(recordClass) + u32(ttl) + u16(data.count) + data }

    static func opt(
      size: Int = 1232, extendedRcode: Int = 0, version: Int = 0, dnssecOK: Bool = false, options: [UInt8] = [],
      owner: [UInt8] = [0]
    ) -> Record {
      Record(
        owner: owner, type: 41, recordClass: size,
        ttl: UInt32(extendedRcode << 24 | version << 16 | (dnssecOK ? 0x8000 : 0)), data: options)
    }

    static func a(_ owner: [UInt8], ttl: UInt32 = 300) -> Record {
      Record(owner: owner, type: 1, ttl: ttl, data: [192, 0, 2, 1])
    }

    static func cname(_ owner: [UInt8], _ target: [UInt8]) -> Record { Record(owner: owner, type: 5, data: target) }

    static func soa(_ owner: [UInt8], ttl: UInt32 = 300) -> Record {
      Record(owner: owner, type: 6, ttl: ttl, data: wire("ns.") + wire("admin.") + [UInt8](repeating: 7, count: 20))
    }
  }
}

/// A pointer to `offset`.
func pointer(_ offset: Int) -> [UInt8] { u16(0xC000 | offset) }

/// An EDNS option.
func option(_ code: Int, _ data: [UInt8] = []) -> [UInt8] { u16(code) + u16(data.count) + data }
