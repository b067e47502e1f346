import Corefile

/// A change of names that match, in their text form: lower case, with the last dot.
struct NameChange: Sendable {
  private enum Match: Sendable {
    case exact([UInt8])
    case prefix([UInt8])
    case suffix([UInt8])
    case substring([UInt8])
    case pattern(Pattern)
  }

  private let match: Match
  private let to: [UInt8]

  static func exact(_ from: ZoneName, to: ZoneName) -> NameChange {
    NameChange(match: .exact(Array(from.text.utf8)), to: Array(to.text.utf8))
  }

  static func suffix(_ from: String, to: String) -> NameChange {
    NameChange(match: .suffix(Array(from.utf8)), to: Array(to.utf8))
  }

  static func pattern(_ pattern: Pattern, to: String) -> NameChange {
    NameChange(match: .pattern(pattern), to: Array(to.utf8))
  }

  private init(match: Match, to: [UInt8]) {
    self.match = match
    self.to = to
  }

  /// `to` is empty where it is only asked whether a name matches.
  init(_ wanted: RewriteDirective.NameMatch, to: String = "") throws(PatternError) {
    let text = Array(wanted.text.utf8)
    match =
      switch wanted.kind {
      case .exact: .exact(text)
      case .prefix: .prefix(text)
      case .suffix: .suffix(text)
      case .substring: .substring(text)
      case .regex: .pattern(try Pattern(wanted.text))
      }
    self.to = Array(to.utf8)
  }

  func matches(_ name: ZoneName) -> Bool {
    let text = Array(name.text.utf8)
    return switch match {
    case .exact(let from): text == from
    case .prefix(let from): text.starts(with: from)
    case .suffix(let from): text.suffix(from.count).elementsEqual(from)
    case .substring(let from): Self.replacing(from, with: from, in: text) != nil
    case .pattern(let pattern): pattern.firstMatch(in: text) != nil
    }
  }

  /// The name that one becomes; nil if it does not match, or would be no name.
  func apply(to name: ZoneName) -> ZoneName? {
    let text = Array(name.text.utf8)
    let changed: [UInt8]?
    switch match {
    case .exact(let from): changed = text == from ? to : nil
    case .prefix(let from): changed = text.starts(with: from) ? to + text.dropFirst(from.count) : nil
    case .suffix(let from):
      changed = text.suffix(from.count).elementsEqual(from) ? text.dropLast(from.count) + to : nil
    case .substring(let from): changed = Self.replacing(from, with: to, in: text)
    case .pattern(let pattern): changed = pattern.firstMatch(in: text).map { filled($0, text) }
    }
    return changed.flatMap { ZoneName(String(decoding: $0, as: UTF8.self)) }
  }

  private static func replacing(_ from: [UInt8], with to: [UInt8], in text: [UInt8]) -> [UInt8]? {
    guard !from.isEmpty else { return nil }
    var out: [UInt8] = []
    var at = 0
    var isFound = false
    while at < text.count {
      if text[at...].starts(with: from) {
        isFound = true
        out += to
        at += from.count
      } else {
        out.append(text[at])
        at += 1
      }
    }
    return isFound ? out : nil
  }

  /// The replacement with `{1}` for the first group, `{0}` for all that matched.
  private func filled(_ groups: [Range<Int>?], _ text: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    var at = 0
    while at < to.count {
      let digits = to[(at + 1)...].prefix { (0x30...0x39).contains($0) }
      let end = at + 1 + digits.count
      if to[at] == UInt8(ascii: "{"), end < to.count, to[end] == UInt8(ascii: "}"),
        let group = Int(String(decoding: digits, as: UTF8.self)), group < groups.count
      {
        if let range = groups[group] { out += text[range] }
        at = end + 1
      } else {
        out.append(to[at])
        at += 1
      }
    }
    return out
  }

  /// A record with its owner changed; nil if it does not match.
  func owner(of record: ResourceRecord) -> ResourceRecord? {
    guard let name = apply(to: ZoneName(wire: WireName.folded(record.owner))) else { return nil }
    var record = record
    record.owner = name.wire
    return record
  }

  /// A record with the first name in its data changed; nil if there is none, or it does not match.
  func value(of record: ResourceRecord) -> ResourceRecord? {
    guard let range = record.nameRange,
      let name = apply(to: ZoneName(wire: WireName.folded(Array(record.data[range]))))
    else { return nil }
    var record = record
    record.data.replaceSubrange(range, with: name.wire)
    return record
  }
}
