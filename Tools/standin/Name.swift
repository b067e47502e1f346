/// A domain name: its wire form as it was spelled, without compression and with the root octet (RFC 1035 §3.1).
struct Name: Hashable {
  let wire: [UInt8]

  /// `wire` must be a well-formed name: labels of 1 to 63 octets, the root at the end, at most 255 octets.
  init(wire: [UInt8]) { self.wire = wire }

  /// `text` is a name of the zone's own making: labels of 1 to 63 characters between single dots.
  init(_ text: String) {
    var wire: [UInt8] = []
    for label in text.split(separator: ".") {
      wire.append(UInt8(label.utf8.count))
      wire.append(contentsOf: label.utf8)
    }
    self.wire = wire + [0]
  }

  /// Reads presentation form without escapes; nil for what is no name.
  init?(parsing text: String) {
    let labels = text.split(separator: ".")
    guard labels.allSatisfy({ $0.utf8.count <= 63 }), text.utf8.count <= 253 else { return nil }
    self.init(text)
  }

  /// The same name in lower case. Length octets are below 'A', so labels need no walk (RFC 4343 §3).
  var folded: Name { Name(wire: wire.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }) }

  /// The labels as text; octets that are not UTF-8 become U+FFFD, which no name of the zone holds.
  var labels: [String] {
    var labels: [String] = []
    var at = 0
    while wire[at] != 0 {
      let next = at + 1 + Int(wire[at])
      labels.append(String(decoding: wire[at + 1..<next], as: UTF8.self))
      at = next
    }
    return labels
  }

  /// Where the labels start, from the left, without the root.
  var labelOffsets: [Int] {
    var offsets: [Int] = []
    var at = 0
    while wire[at] != 0 {
      offsets.append(at)
      at += 1 + Int(wire[at])
    }
    return offsets
  }

  /// The name without its first `count` labels.
  func dropping(_ count: Int) -> Name {
    var at = 0
    for _ in 0..<count where wire[at] != 0 { at += 1 + Int(wire[at]) }
    return Name(wire: Array(wire[at...]))
  }

  /// The name with one label more at its left; `label` has at most 63 characters.
  func prefixed(_ label: String) -> Name { Name(wire: [UInt8(label.utf8.count)] + label.utf8 + wire) }

  /// Presentation form in lower case without the last dot, the root as '.'; odd octets as \DDD (RFC 1035 §5.1).
  var text: String {
    if wire.count == 1 { return "." }
    var text = ""
    var at = 0
    let folded = folded.wire
    while folded[at] != 0 {
      if at > 0 { text += "." }
      let next = at + 1 + Int(folded[at])
      for octet in folded[at + 1..<next] {
        if 0x21...0x7E ~= octet, octet != UInt8(ascii: "."), octet != UInt8(ascii: "\\") {
          text.unicodeScalars.append(Unicode.Scalar(octet))
        } else {
          let digits = String(octet)
          text += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        }
      }
      at = next
    }
    return text
  }
}
